"""What tests of several kinds share: the databases, started once for all of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import hypothesis
import pytest
import structlog

from tests.databases import BACKENDS, POSTGRES, SQLITE, Databases, PostgresDatabases, SqliteFiles
from tests.postgres import PostgresServer, postgres_server
from tests.reliability import VendorSaw, scenario_of, shown

# The examples are the same everywhere, and a machine that pauses in one of them is no failure.
hypothesis.settings.load_profile("ci")

# As the product does. The library's default shows every variable of every frame, a second each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with the mark `spread`, the boundaries that it does not name are long on
    PostgreSQL: SQLite has them all every time."""
    for item in items:
        spread = item.get_closest_marker("spread")
        if spread is None or not isinstance(item, pytest.Function):
            continue
        given = item.callspec.params
        if given["databases"] == POSTGRES and given.get("boundary") not in spread.args:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo what a command that ran within a test made of the logging of this process: its handler
    would write to the standard error of that test, which is closed by the next one."""
    level, config = logging.getLogger().level, structlog.get_config()
    yield
    root = logging.getLogger()
    # Those of pytest are subclasses.
    root.handlers[:] = [each for each in root.handlers if type(each) is not logging.StreamHandler]
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of this process."""
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
def vendor_saw(request: pytest.FixtureRequest) -> Iterator[VendorSaw]:
    """Compare what the vendor took with the row of the test in docs/reliability.md."""
    row = scenario_of(request.function)
    assert row is not None, "only a scenario has a row"
    seen: list[tuple[str, ...]] = []

    def saw(writes: Iterable[str]) -> None:
        seen.append(shown(writes))
        assert seen[-1] == row.writes

    yield saw
    assert seen, "the test did not show what the vendor took"
