"""A deadline for all that one call asks of a PostgreSQL.

A server that is frozen takes a question and never answers it, and its machine still confirms what
arrives: no time-out of the connection or of the server ends such a wait. So at the deadline the
sockets are shut. The driver then says that the connection is lost, as it would after an outage, in
the thread that waits for it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from service.bounded import Bounded, Overdue

Opened = psycopg.Connection[dict[str, Any]]


class Deadline:
    """The connections of one call, until `seconds` are over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._open: list[Opened] = []
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return self._is_over

    def lift(self) -> None:
        """What goes on from here may last longer."""
        self._timer.cancel()

    @contextmanager
    def connected(self, connect: Callable[[], Opened], connect_s: float) -> Iterator[Opened]:
        """A connection that is made within `connect_s` seconds, and closed after the block.

        Raises:
            psycopg.OperationalError: it was not made in time. Looking up a name may take longer
                than any limit that the driver knows.
        """
        try:
            connection = Bounded(connect_s)(connect)
        except Overdue:
            raise psycopg.OperationalError(f"no connection within {connect_s:g} s") from None
        try:
            self._hold(connection)
            yield connection
        finally:
            with self._lock:  # so that the socket that is shut is never another's
                if connection in self._open:
                    self._open.remove(connection)
                connection.close()

    def _hold(self, connection: Opened) -> None:
        with self._lock:
            if self._is_over:
                raise psycopg.OperationalError(f"no answer within {self.seconds:g} s")
            self._open.append(connection)

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            for each in self._open:
                with suppress(OSError, psycopg.Error), _its_socket(each) as its:
                    its.shutdown(socket.SHUT_RDWR)


def _its_socket(connection: Opened) -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))
