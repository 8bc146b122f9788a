from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.store.database import open_engine
from tests.contract.loopback import Loopback, loopback
from tests.databases import Databases


@pytest.fixture
def vendor() -> Iterator[Loopback]:
    """A vendor that does what the test tells it."""
    with loopback() as server:
        yield server


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database of the test's own, with all tables."""
    with databases.borrowed() as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The database of the test's own, open."""
    opened = open_engine(database_url, pool_size=8)
    yield opened
    opened.dispose()
