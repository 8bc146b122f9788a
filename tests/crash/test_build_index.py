"""A worker killed in the middle of CREATE INDEX CONCURRENTLY: one valid index in the end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_databases import LONG_S, AppDatabaseOfTests, app_database, with_questions
from tests.crash.stand import Stand, a_stand
from tests.databases import Databases
from tests.postgres import PostgresServer
from tests.processes import wait_until

pytestmark = pytest.mark.crash

RUN = "app.up.1"
RULES = """\
targets:
  app: {kind: app_database, roles: [quiz_app]}
rules:
  - name: slow-search
    match: ['alertname="Slow Search"']
    action: optimize_database
    target: app
    with: {index: {table: questions, columns: [topic], name: by_topic}}
    cooldown: 1h
"""
INDEXES = (
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = 'questions'::regclass AND NOT i.indisprimary"
)
BUILDS = (
    "FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active' "
    "AND datname = current_database()"
)
INVALID, VALID = [("by_topic", False)], [("by_topic", True)]


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        with_questions(made)
        yield made


@pytest.fixture
def stand(tmp_path: Path, databases: Databases, app: AppDatabaseOfTests) -> Iterator[Stand]:
    with (
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=RULES, APP_DATABASE_URL=app.url()) as made,
    ):
        yield made


def die_in_the_middle(stand: Stand, app: AppDatabaseOfTests) -> None:
    """The build waits for a transaction of the application, and its worker is killed."""
    app.idle(statement="INSERT INTO questions VALUES (0)")
    stand.fire("Slow Search")
    first = stand.worker("during:build_index")
    first.join(LONG_S)
    assert first.exitcode == -signal.SIGKILL, stand.report()
    assert app.admin(INDEXES) == INVALID
    assert app.admin(f"SELECT count(*) {BUILDS}") == [(1,)], "the server goes on with it"


def assert_built_once(stand: Stand, app: AppDatabaseOfTests) -> None:
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    assert app.admin(INDEXES) == VALID


def numbers(app: AppDatabaseOfTests) -> list[int]:
    return [number for (number,) in app.admin("SELECT 'by_topic'::regclass::oid::bigint")]


@pytest.mark.spread
def test_the_next_worker_waits_for_the_build_that_the_server_goes_on_with(
    stand: Stand, app: AppDatabaseOfTests
) -> None:
    die_in_the_middle(stand, app)
    begun = numbers(app)
    second = stand.worker()
    stand.wait_for(lambda: is_seen(stand), "the next worker to see the build")
    assert app.admin(INDEXES) == INVALID, "it is not dropped"
    app.stack.close()
    assert_built_once(stand, app)
    assert numbers(app) == begun, "it is the very same index"
    assert second.is_alive()


def is_seen(stand: Stand) -> bool:
    """Whether the wait was told. The first worker has died of the look that would have told it."""
    return any("it waits for the transaction of pid" in each for each in stand.replies())


def test_the_next_worker_drops_what_a_build_that_was_cut_off_has_left_and_builds_it_anew(
    stand: Stand, app: AppDatabaseOfTests
) -> None:
    die_in_the_middle(stand, app)
    begun = numbers(app)
    app.admin(f"SELECT pg_terminate_backend(pid) {BUILDS}")
    assert wait_until(lambda: app.admin(f"SELECT count(*) {BUILDS}") == [(0,)], LONG_S)
    assert app.admin(INDEXES) == INVALID, "nobody builds it, and every write maintains it"
    app.stack.close()
    stand.worker()
    assert_built_once(stand, app)
    assert numbers(app) != begun
