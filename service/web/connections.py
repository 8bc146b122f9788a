"""A sender's connection: its deadlines, and how it ends.

gunicorn reads from a connection and writes to it as if it were the socket. A connection yields to
the others after each piece that it reads. Otherwise a socket that always has more to read would
hold the loop.

A sender is a stranger until one of its requests has authenticated. The number of strangers is
limited. At the limit, the oldest of them is cut.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import Any

import gevent
from gunicorn.http import errors  # type: ignore[import-untyped]  # gunicorn ships no types

HEAD_S = 10.0
"""Seconds from the first byte of a request's head to its last."""
STRANGER_IDLE_S = 10.0
"""Seconds that a stranger may wait before it sends a request."""
BODY_S = 60.0
"""Seconds for a whole body: 16 MiB take that long at 2 Mbit/s."""
STALLED_S = 30.0
"""Seconds that a sender may pause while it reads its answer."""
LARGEST_HEAD = 64 * 1024
"""Bytes of one head. gunicorn's own limits would allow 800 KB."""

PER_ADDRESS = 256
"""Strangers of one address. The senders behind a proxy share an address, and so do those of a
benchmark, but each is a stranger for some milliseconds only."""

_STRANGER_LINGERS_S, _STRANGER_LINGERS = 1.0, 64 * 1024
_SENDER_LINGERS_S, _SENDER_LINGERS = 10.0, 64 * 1024 * 1024
"""Seconds and bytes that are received and discarded before a connection with an unread body is
closed. Without this, a sender that writes 32 MiB before it reads would get a reset instead of its
413, and would send them again."""
_PAUSE_S = 1.0
"""Seconds without a byte after which lingering ends earlier."""

_IDLE, _HEAD, _BODY = range(3)
_waste = bytearray(64 * 1024)
"""The buffer for bytes that are discarded. All connections share it."""


class Connection:
    """One connection. It is a stranger at first.

    `keepalive_s` is how many seconds a sender that has authenticated may wait between two requests.
    """

    def __init__(self, raw: Any, address: str, strangers: Strangers, keepalive_s: float) -> None:
        self.address = address
        self.has_unread = False
        """Whether the sender has sent, or may still send, bytes that are never parsed."""
        self._socket = raw
        self._strangers = strangers
        self._is_known = False
        self._is_cut = False
        self._keepalive_s = keepalive_s
        self.rest(min(STRANGER_IDLE_S, keepalive_s))
        strangers.add(self)

    def __getattr__(self, name: str) -> Any:
        """Every other attribute that gunicorn uses is the socket's."""
        return getattr(self._socket, name)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the first byte of a request."""
        return self._phase is _IDLE

    def rest(self, seconds: float) -> None:
        """Wait for a new request. Its first byte may take `seconds`."""
        self._phase = _IDLE
        self._until = time.monotonic() + seconds
        self._head_size = self._pieces = 0

    def recv(self, size: int) -> bytes:
        """The next piece. Empty at the end, and when a head has taken too long.

        Raises:
            TimeoutError: the body has taken too long.
            LimitRequestHeaders: the head is larger than `LARGEST_HEAD`.
        """
        # Before its first piece a request has just had its turn (`is_answered`).
        if self._pieces:
            gevent.sleep(0)
        if self._is_cut:
            return b""
        try:
            piece = self._received(size)
        except TimeoutError:
            if self._phase is _BODY:
                raise
            return b""
        self._pieces += 1
        if self._phase is not _BODY:
            self._count_head(len(piece))
        return piece

    def head_is_read(self) -> None:
        """The next pieces belong to the body, with a deadline of their own."""
        self._phase = _BODY
        self._until = time.monotonic() + BODY_S

    def has_authenticated(self) -> None:
        """The sender is known now, and no longer counts as a stranger."""
        if not self._is_known:
            self._is_known = True
            self._strangers.discard(self)

    def is_answered(self) -> None:
        """Wait for the next request, after all other greenlets that are ready."""
        self.rest(self._keepalive_s if self._is_known else min(STRANGER_IDLE_S, self._keepalive_s))
        gevent.sleep(0)

    def send(self, data: bytes) -> int:
        """Like a socket's `send`. Raises TimeoutError when nothing can be sent for `STALLED_S`."""
        self._socket.settimeout(STALLED_S)
        sent: int = self._socket.send(data)
        return sent

    def sendall(self, data: bytes) -> None:
        """Like a socket's `sendall`. Raises TimeoutError when it takes longer than `STALLED_S`."""
        self._socket.settimeout(STALLED_S)
        self._socket.sendall(data)

    def cut(self) -> None:
        """End the connection at once, whatever it is doing, to make room for another."""
        self._is_cut = True
        self._shutdown(socket.SHUT_RDWR)

    def end_if_idle(self) -> None:
        """Stop waiting for requests. One that has already arrived is still answered."""
        if self.is_idle:
            self._shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close the socket in a way that the sender sees the answer even if it is still sending."""
        try:
            if self.has_unread and not self._is_cut:
                self._linger()
        finally:
            self._strangers.discard(self)
            self._socket.close()

    def _received(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        # A socket that has something to read never looks at its timeout.
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        piece: bytes = self._socket.recv(size)
        return piece

    def _count_head(self, size: int) -> None:
        if self._phase is _IDLE:
            self._phase = _HEAD
            self._until = time.monotonic() + HEAD_S
        self._head_size += size
        if self._head_size > LARGEST_HEAD:
            raise errors.LimitRequestHeaders(f"more than {LARGEST_HEAD} bytes")

    def _linger(self) -> None:
        """Shut down our side, and discard what the sender still sends.

        The system resets a socket that is closed with unread bytes. The reset may reach the sender
        before the answer does.
        """
        seconds, room = (
            (_SENDER_LINGERS_S, _SENDER_LINGERS)
            if self._is_known
            else (_STRANGER_LINGERS_S, _STRANGER_LINGERS)
        )
        until = time.monotonic() + seconds
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while room > 0 and (left := until - time.monotonic()) > 0:
                self._socket.settimeout(min(left, _PAUSE_S))
                size = self._socket.recv_into(_waste)
                if not size:
                    return
                room -= size
                gevent.sleep(0)

    def _shutdown(self, how: int) -> None:
        # This is the system's shutdown. gevent's would interrupt the greenlet that reads, and a
        # request that has already arrived would be lost.
        with suppress(OSError), socket.socket(fileno=os.dup(self._socket.fileno())) as same:
            same.shutdown(how)


class Strangers:
    """The connections that have not authenticated, by address, oldest first.

    There is room for `per_address` of each address, and for `in_all` together. When an address is
    full, its oldest connection is cut. When all the room is taken, the oldest connection of the
    address that has most is cut.
    """

    def __init__(self, per_address: int, in_all: int) -> None:
        self._per_address = per_address
        self._in_all = in_all
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, connection: Connection) -> None:
        """Add a connection, and cut another one when there is no room."""
        if len(self._by_address.get(connection.address, ())) >= self._per_address:
            self._cut_oldest(self._by_address[connection.address])
        elif self._count >= self._in_all:
            self._cut_oldest(max(self._by_address.values(), key=len))
        self._by_address.setdefault(connection.address, {})[connection] = None
        self._count += 1

    def discard(self, connection: Connection) -> None:
        """Forget a connection that has authenticated or is closed."""
        same_address = self._by_address.get(connection.address, {})
        if connection in same_address:
            del same_address[connection]
            self._count -= 1
            if not same_address:
                del self._by_address[connection.address]

    def _cut_oldest(self, connections: dict[Connection, None]) -> None:
        oldest = next(iter(connections))
        self.discard(oldest)
        oldest.cut()
