"""Stores on an event loop's own thread, which waits for them without standing still.

In a storm the thread that serves webhooks also commits them: a thread for that would fight it for
the interpreter's lock (docs/performance.md). What may take long is waited for here as greenlets
wait: SQLite's one write lock, PostgreSQL's answers, a server that does not accept, and Redis. What
SQLite itself does, a write to the local disk, holds the loop for as long as it takes.
"""

from __future__ import annotations

import select
import sqlite3
import time
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import redis
import sqlalchemy as sa
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from service.ports.loop import Loop
from service.store.driver import BEGIN_IMMEDIATE, by_driver

_Result = TypeVar("_Result")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.025
"""Between two tries for SQLite's write lock; SQLite's own first and usual longest pause."""


@dataclass(frozen=True, slots=True)
class LockWait:
    """Waits for SQLite's write lock as a greenlet does, `patience_s` seconds at most."""

    loop: Loop
    patience_s: float

    def begin_immediate(self, connection: sa.Connection) -> None:
        """Take it, on a connection that does not wait by itself.

        Raises:
            OperationalError: others held it for too long.
        """
        until = time.monotonic() + self.patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                by_driver(connection, BEGIN_IMMEDIATE)
            except OperationalError as error:
                if not _is_locked(error) or time.monotonic() >= until:
                    raise
            else:
                return
            self.loop.pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _is_locked(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY


def postgresql_on(engine: sa.Engine, loop: Loop) -> None:
    """Make a PostgreSQL engine's connections wait on the loop when they are used there."""

    class Connection(psycopg.Connection[Any]):
        _begun_in: psycopg.Pipeline | None = None

        def wait(
            self,
            gen: PQGen[_Result],
            interval: float = 0.1,
            timeout: float | None = None,
        ) -> _Result:
            if timeout is not None or not loop.is_here():
                return super().wait(gen, interval, timeout)
            return _carried(gen, self.pgconn.socket, loop)

        def _start_query(self) -> PQGen[None]:
            """BEGIN goes along with what is sent together. By itself, psycopg waits for its answer
            first, which is a round trip of each transaction."""
            together = self._pipeline
            idle = self.pgconn.transaction_status == TransactionStatus.IDLE
            if together is None or self._autocommit or not idle:
                yield from super()._start_query()
            elif self._begun_in is not together:
                self._begun_in = together
                yield from self._exec_command(self._get_tx_start_command())

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, settings: Any) -> Any:
        return loop.reserved(lambda: Connection.connect(*arguments, **settings))


def _carried(steps: PQGen[_Result], fileno: int, loop: Loop) -> _Result:
    """Go through psycopg's steps; each says what it waits for."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(_ready(wanted, fileno, loop))
    except StopIteration as end:
        result: _Result = end.value
        return result


def _ready(wanted: Wait, fileno: int, loop: Loop) -> Ready:
    """Wait for what psycopg wants. Most often it may write at once, and then the loop is not asked:
    that takes 13 µs instead of 2."""
    if wanted & Wait.W and _is_writable(fileno):
        return Ready.W
    loop.until_ready(fileno, read=bool(wanted & Wait.R), write=bool(wanted & Wait.W))
    return Ready(wanted)


def _is_writable(fileno: int) -> bool:
    # Not `select`, which knows no file descriptor above 1,023.
    asked = select.poll()
    asked.register(fileno, select.POLLOUT)
    return bool(asked.poll(0))


def redis_on(client: redis.Redis, loop: Loop) -> None:
    """Make a client's connections wait on the loop when they are used there."""
    pool = client.connection_pool
    base: type[redis.Connection] = pool.connection_class

    class Connection(base):  # type: ignore[misc,valid-type]  # whichever the address asks for
        def connect_check_health(self, *arguments: Any, **settings: Any) -> None:
            connect = super().connect_check_health
            if self.is_connected or not loop.is_here():
                connect(*arguments, **settings)
            else:
                loop.reserved(lambda: connect(*arguments, **settings))

        def read_response(self, *arguments: Any, **settings: Any) -> Any:
            if loop.is_here() and not self.can_read(0):
                self._await_answer()
            return super().read_response(*arguments, **settings)

        def _await_answer(self) -> None:
            timeout_s = self.socket_timeout
            fileno = self._sock.fileno()
            if not loop.until_ready(fileno, read=True, write=False, timeout_s=timeout_s):
                raise redis.TimeoutError(f"no answer within {timeout_s:g} s")

    pool.connection_class = Connection
