"""Both databases behind one face: fresh ones with all tables, quickly."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.settings import load_settings
from service.store.database import begin_writing
from tests.postgres import PostgresServer

SQLITE, POSTGRES = "sqlite", "postgresql"
BACKENDS = (SQLITE, POSTGRES)

_numbers = itertools.count()


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


class PostgresDatabases:
    """Databases made from one migrated template."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._original = ""

    def empty(self) -> str:
        """The address of a database without tables."""
        return self._server.create()

    def fresh(self) -> str:
        """The address of a database with all tables."""
        if not self._original:
            url = self.empty()
            _migrate(url)
            self._original = str(sa.make_url(url).database)
        return self._server.create(self._original)

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """A fresh one for a while; what was not yet written of it need not go to the disk."""
        url = self.fresh()
        yield url
        self._server.drop(url)


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
