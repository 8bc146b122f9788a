"""Both databases behind one face: fresh ones with all tables, quickly."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.settings import load_settings
from service.store.database import begin_writing
from tests.postgres import PostgresServer
from tests.processes import wait_until

SQLITE, POSTGRES = "sqlite", "postgresql"
BACKENDS = (SQLITE, POSTGRES)

_numbers = itertools.count()

_SHAPE = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT c::text FROM (SELECT oid, relname, relkind, relacl, reloptions FROM pg_class
        WHERE oid >= 16384 AND relkind <> 't') c
    UNION ALL SELECT a::text FROM (SELECT attrelid, attname, atttypid, attnotnull FROM pg_attribute
        WHERE attnum > 0 AND attrelid >= 16384) a
    UNION ALL SELECT d::text FROM (SELECT oid, adrelid, adnum FROM pg_attrdef) d
    UNION ALL SELECT i::text FROM (SELECT indexrelid, indisvalid FROM pg_index) i
    UNION ALL SELECT t::text FROM (SELECT oid, tgname, tgenabled FROM pg_trigger) t
    UNION ALL SELECT k::text FROM (SELECT oid, conname FROM pg_constraint) k
    UNION ALL SELECT f::text FROM (SELECT oid, proacl, prosrc FROM pg_proc) f
    UNION ALL SELECT n::text FROM (SELECT oid, nspacl FROM pg_namespace
        WHERE nspname NOT LIKE 'pg_temp%' AND nspname NOT LIKE 'pg_toast_temp%') n
    UNION ALL SELECT s::text FROM pg_db_role_setting s JOIN pg_database b ON b.oid = s.setdatabase
        WHERE b.datname = current_database()
) AS parts (part)
"""
"""What the tables of a database are like, and what belongs to them, but for the rows.

Numbers from 16384 (FirstNormalObjectId of PostgreSQL) are of what was made after the server.
"""
_TABLES = (
    "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = 'r' ORDER BY oid"
)
_SEQUENCES = (
    "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = 'S' ORDER BY oid"
)
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_LEAVES_S = 1.0
"""How long a session that was closed may take to be gone from the server."""


class SqliteFiles:
    """Copies of one migrated file."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._original = home / "original.db"

    def empty(self) -> str:
        """The address of a file that does not exist yet."""
        return f"sqlite:///{self._home / f'test{next(_numbers)}.db'}"

    def fresh(self) -> str:
        """The address of a copy with all tables."""
        if not self._original.exists():
            _migrate(f"sqlite:///{self._original}")
        url = self.empty()
        shutil.copyfile(self._original, url.removeprefix("sqlite:///"))
        return url

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """A fresh one for a while."""
        url = self.fresh()
        yield url
        Path(url.removeprefix("sqlite:///")).unlink()


class _AsMigrated:
    """What a database with all tables is like before anything is done with it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._shape = _one(connection, _SHAPE)
        self._tables = [row[0] for row in connection.execute(_TABLES)]
        self._rows = {table: rows for table in self._tables if (rows := _copied(connection, table))}
        self._numbers = {
            row[0]: connection.execute(f"TABLE {row[0]}").fetchone()
            for row in connection.execute(_SEQUENCES).fetchall()
        }

    def again(self, connection: psycopg.Connection[Any]) -> bool:
        """Make it so again. Where its tables were changed, or somebody uses it still, it is left as
        it is, and the answer is no."""
        alone = wait_until(lambda: _one(connection, _OTHERS) == 0, _LEAVES_S)
        if not alone or _one(connection, _SHAPE) != self._shape:
            return False
        with connection.transaction():
            # The order of the tables does not matter then.
            connection.execute("SET LOCAL session_replication_role = replica")
            for table in self._tables:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  # its own tables
            for table, rows in self._rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(rows)
            for sequence, number in self._numbers.items():
                assert number is not None
                last, _, called = number
                connection.execute("SELECT setval(%s::regclass, %s, %s)", (sequence, last, called))
        return True


class PostgresDatabases:
    """Databases made from one migrated template.

    To make one and drop it costs 0.6 s of a processor, and to empty one 0.05 s. So a
    borrowed one is lent again where that can be.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._original = ""
        self._migrated: _AsMigrated | None = None
        self._given_back: list[str] = []

    def empty(self) -> str:
        """The address of a database without tables."""
        return self._server.create()

    def fresh(self) -> str:
        """The address of a database with all tables."""
        if not self._original:
            url = self.empty()
            _migrate(url)
            with _connected(url) as connection:
                self._migrated = _AsMigrated(connection)
            self._original = str(sa.make_url(url).database)
        return self._server.create(self._original)

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """One for a while that is as a fresh one, and is nobody else's."""
        try:
            url = self._given_back.pop()
        except IndexError:
            url = self.fresh()
        yield url
        if self._as_migrated(url):
            self._given_back.append(url)
        else:
            self._server.drop(url)

    def _as_migrated(self, url: str) -> bool:
        assert self._migrated is not None
        with _connected(url) as connection:
            return self._migrated.again(connection)


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    address = sa.make_url(url).set(drivername="postgresql")
    with psycopg.connect(
        address.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        yield connection


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _copied(connection: psycopg.Connection[Any], table: str) -> bytes:
    """Its rows, as COPY reads them."""
    with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
        return b"".join(bytes(part) for part in copy)


Databases = SqliteFiles | PostgresDatabases


@contextmanager
def nobody_writes(engine: sa.Engine) -> Iterator[None]:
    """Hold SQLite's write lock.

    A process that is stopped meanwhile is not stopped with that lock, which nobody but it could
    give back. PostgreSQL ends what a stopped process had begun.
    """
    with engine.connect() as connection:
        begin_writing(connection)
        yield


def _migrate(url: str) -> None:
    stores = Stores(load_settings({"DATABASE_URL": url}))
    stores.migrate()
    if url.startswith(SQLITE):
        with stores.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    stores.engine.dispose()
