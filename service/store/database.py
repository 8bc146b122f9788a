"""The one database: how it is opened, what its clock says, and what its errors mean.

SQLite (a file, the embedded default) and PostgreSQL. On SQLite every transaction takes the write
lock at its beginning and is on disk when it ends (WAL, synchronous=FULL); waiting for that lock
is bounded by `busy_timeout`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.domain.errors import StoreConflict, StoreLost, StoreUnavailable
from service.domain.redaction import shown_addresses
from service.store.driver import BEGIN_IMMEDIATE, by_driver
from service.store.open_file import OpenFile

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    from service.ports.loop import Loop
    from service.store.on_loop import LockWait

BUSY_TIMEOUT_MS = 5_000
"""How long a writer waits for SQLite's one write lock before the sender is asked to retry."""

_WAITS = "runbookd_waits"
"""An engine's own option: how SQLite's lock is waited for on a loop."""
_FILE = "runbookd_file"
"""An engine's own option: SQLite's file, where there is one."""

_RETRIED_SQLSTATES = frozenset({"40001", "40P01"})
"""PostgreSQL: serialization failure and deadlock; the same transaction may be made again."""

IDLE_MS = 8_000
"""How long PostgreSQL lets a transaction do nothing. A process that is stopped in one holds rows
that others want; a worker's are free again before its lease is over."""
MIGRATION_IDLE_MS = 300_000
"""The same for a migration, which everybody else waits for anyway."""

_POSTGRES = {
    "connect_timeout": 3,
    "options": f"-c statement_timeout=30000 -c idle_in_transaction_session_timeout={IDLE_MS}",
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""libpq's settings. The last four (milliseconds, then seconds) notice within half a minute that the
server's host is gone; the system's own defaults would wait for a quarter of an hour and more."""


def open_engine(
    url: str, *, pool_size: int = 5, busy_timeout_ms: int | None = None, loop: Loop | None = None
) -> sa.Engine:
    """An engine for `url`: `sqlite:////path/file.db` or `postgresql://…`.

    With a `loop`, it may be used there, by one greenlet at a time: what is to write begins by
    `begin_writing`, and a connection that PostgreSQL has closed is found when it is used, for to
    ask before each transaction costs a storm a round trip.
    """
    parsed = sa.make_url(url)
    patience_ms = busy_timeout_ms or BUSY_TIMEOUT_MS
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, pool_size, patience_ms, loop)
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=loop is None,
        pool_timeout=5,
        connect_args=_POSTGRES,
    )
    if loop is not None:
        from service.store.on_loop import postgresql_on  # noqa: PLC0415 - readers need no Redis

        postgresql_on(engine, loop)
    return engine


def _open_sqlite(url: sa.URL, pool_size: int, patience_ms: int, loop: Loop | None) -> sa.Engine:
    file = OpenFile(url.database) if url.database and url.database != ":memory:" else None
    wait = None if loop is None else _lock_wait(loop, patience_ms)
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=2 * pool_size,
        # Connecting waits by itself; it is hardly ever held up.
        connect_args={"check_same_thread": False, "timeout": patience_ms / 1000},
        execution_options={_WAITS: wait, _FILE: file},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        # More pages kept, or larger checkpoints, make a long storm slower (docs/performance.md).
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-8192",
            f"busy_timeout={patience_ms if loop is None else 0}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if file is not None:
            file.opened()

    return engine


def _lock_wait(loop: Loop, patience_ms: int) -> LockWait:
    from service.store.on_loop import LockWait  # noqa: PLC0415 - as above

    return LockWait(loop, patience_ms / 1000)


def insert_of(dialect: sa.Dialect, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that knows ON CONFLICT, which SQLAlchemy has for each dialect apart."""
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - only the one that is used

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - as above

    return postgresql.insert(table)


def begin_writing(connection: sa.Connection) -> None:
    """Take SQLite's write lock now, so that what is read next cannot change before the write.

    Raises:
        StoreUnavailable: SQLite's file is not there any more.
    """
    if connection.dialect.name != "sqlite":
        return
    require_file(connection)
    wait: LockWait | None = connection.get_execution_options().get(_WAITS)
    if wait is None:
        by_driver(connection, BEGIN_IMMEDIATE)
    else:
        wait.begin_immediate(connection)


def require_file(connection: sa.Connection) -> None:
    """Return when SQLite's file is still the one that was opened; on PostgreSQL at once.

    Raises:
        StoreUnavailable: it was deleted or replaced.
    """
    file: OpenFile | None = connection.get_execution_options().get(_FILE)
    if file is not None:
        file.require()


def allow_idle(connection: sa.Connection, more_ms: int) -> None:
    """Let this transaction do nothing for `more_ms` milliseconds longer than others may."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS + more_ms}"
        )


def allow_long(connection: sa.Connection) -> None:
    """Let this transaction's statements take as long as they need, and let it do nothing for
    `MIGRATION_IDLE_MS`: a migration builds indices of all that is stored, and rewrites rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(
            f"SET LOCAL idle_in_transaction_session_timeout = {MIGRATION_IDLE_MS}"
        )


@contextmanager
def one_snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose statements all read the database as it was at the first of them."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
        return
    repeatable = engine.execution_options(isolation_level="REPEATABLE READ")
    with repeatable.connect() as connection:
        yield connection


@contextmanager
def translated(*, repeatable: bool = False) -> Iterator[None]:
    """Turn the driver's errors into ours.

    A lost connection is StoreLost only to a `repeatable` transaction, which may be made again
    although the first may have been committed.

    A value that the database refuses stays the driver's DataError: that is a mistake of ours with
    one notification or one run, and must not look like a store that is down to all others.
    """
    try:
        yield
    except DataError:
        raise
    except IntegrityError as error:
        raise StoreConflict(_line(error)) from error
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) in _RETRIED_SQLSTATES:
            raise StoreConflict(_line(error)) from error
        if repeatable and isinstance(error, DBAPIError) and error.connection_invalidated:
            raise StoreLost(_line(error)) from error
        raise StoreUnavailable(f"the database cannot be used now ({_line(error)})") from error
    except DBAPIError as error:
        raise StoreUnavailable(f"the database refused ({_line(error)})") from error


def _line(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return shown_addresses(text).splitlines()[0][:200] if text else type(error).__name__


def database_now(dialect: str) -> sa.ColumnElement[float]:
    """The database's own clock, in seconds since the epoch, as an SQL expression."""
    if dialect == "sqlite":
        return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Double)
    return sa.literal_column("extract(epoch from clock_timestamp())::double precision", sa.Double)
