from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.store.database import open_engine
from tests.contract.databases import BACKENDS, SQLITE, Databases, PostgresDatabases, SqliteFiles
from tests.contract.loopback import Loopback, loopback
from tests.postgres import PostgresServer, postgres_server


@pytest.fixture
def vendor() -> Iterator[Loopback]:
    """A vendor that does what the test tells it."""
    with loopback() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session", params=BACKENDS)
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Databases:
    """Where fresh databases come from: each test that asks runs on SQLite and on PostgreSQL."""
    if request.param == SQLITE:
        return SqliteFiles(tmp_path_factory.mktemp("sqlite"))
    return PostgresDatabases(request.getfixturevalue("postgres"))


@pytest.fixture
def database_url(databases: Databases) -> str:
    """A database of the test's own, with all tables."""
    return databases.fresh()


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The database of the test's own, open."""
    opened = open_engine(database_url, pool_size=8)
    yield opened
    opened.dispose()
