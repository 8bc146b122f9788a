"""Transactions on an event loop's own thread, which waits for the database without standing still.

In a storm the thread that serves webhooks also commits them: a thread for that would fight it for
the interpreter's lock (docs/performance.md). What takes long in a database is waited for here as
greenlets wait: SQLite's one write lock, PostgreSQL's answers, and a server that does not accept.
What SQLite itself does, a write to the local disk, holds the loop for as long as it takes.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from service.ports.loop import Loop

_Result = TypeVar("_Result")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.025
"""Between two tries for SQLite's write lock: the other writers hold it for a few milliseconds."""


def begin_immediate(connection: sa.Connection, loop: Loop, patience_s: float) -> None:
    """Take SQLite's write lock on a connection that does not wait for it by itself.

    Raises:
        OperationalError: others held it for `patience_s` seconds.
    """
    until = time.monotonic() + patience_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if not _is_locked(error) or time.monotonic() >= until:
                raise
        else:
            return
        loop.pause(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def wait_on(engine: sa.Engine, loop: Loop) -> None:
    """Make a PostgreSQL engine's connections wait on the loop when they are used there."""

    class Connection(psycopg.Connection[Any]):
        def wait(
            self,
            gen: PQGen[_Result],
            interval: float = 0.1,
            timeout: float | None = None,
        ) -> _Result:
            if timeout is not None or not loop.is_here():
                return super().wait(gen, interval, timeout)
            return _carried(gen, self.pgconn.socket, loop)

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, settings: Any) -> Any:
        return loop.aside(lambda: Connection.connect(*arguments, **settings))


def _carried(steps: PQGen[_Result], fileno: int, loop: Loop) -> _Result:
    """Go through psycopg's steps; each says what it waits for."""
    try:
        wanted = next(steps)
        while True:
            read, write = bool(wanted & Wait.R), bool(wanted & Wait.W)
            loop.until_ready(fileno, read=read, write=write)
            wanted = steps.send(Ready(wanted))
    except StopIteration as end:
        result: _Result = end.value
        return result


def _is_locked(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY
