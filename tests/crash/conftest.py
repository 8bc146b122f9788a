from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.databases import BACKENDS, SQLITE, Databases, PostgresDatabases, SqliteFiles
from tests.crash.stand import Stand, a_stand
from tests.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all crashes."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session", params=BACKENDS)
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Databases:
    """Both stores."""
    if request.param == SQLITE:
        return SqliteFiles(tmp_path_factory.mktemp("sqlite"))
    return PostgresDatabases(request.getfixturevalue("postgres"))


@pytest.fixture
def stand(tmp_path: Path, databases: Databases) -> Iterator[Stand]:
    """A sandbox, a fresh database, and no worker yet."""
    with a_stand(tmp_path, databases.fresh()) as stand:
        yield stand
