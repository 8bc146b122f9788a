"""Both databases behind one face: fresh ones with all tables, quickly."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.settings import load_settings
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


Databases = SqliteFiles | PostgresDatabases


def _migrate(url: str) -> None:
    stores = Stores(load_settings({"DATABASE_URL": url}))
    stores.migrate()
    if url.startswith(SQLITE):
        with stores.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    stores.engine.dispose()
