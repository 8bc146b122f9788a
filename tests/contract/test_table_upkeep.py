"""Tables of a real PostgreSQL: indexes rebuilt, tables vacuumed, queries explained."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from service.catalogue.registry import checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import StepFailed
from service.providers.postgresql import PostgresDatabase
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import (
    LONG_S,
    AppDatabaseOfTests,
    FastClock,
    app_database,
    with_questions,
)
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer
from tests.processes import wait_until

INDEXES = (
    "SELECT c.relname, c.oid::bigint, i.indisvalid FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'questions'::regclass ORDER BY 1"
)
REINDEX: dict[str, Any] = {"reindex": {"table": "questions"}}


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        with_questions(made)
        made.admin("CREATE INDEX by_topic ON questions (topic)")
        yield made


def asked(operation: dict[str, Any]) -> Request:
    options = checked_options("optimize_database", operation)
    return request_for("optimize_database", APP_DATABASE, options=options)


def plan_of(app: AppDatabaseOfTests, operation: dict[str, Any]) -> Plan | PlanHeld:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    return works.plan(asked(operation))


def run_on(app: AppDatabaseOfTests, operation: dict[str, Any]) -> FakeRun:
    clock, database = FastClock(), PostgresDatabase(url=app.url())
    works = works_on(clock, app_database=database, timings=TIMINGS)
    return planned(works, asked(operation), clock)


def numbers(app: AppDatabaseOfTests) -> dict[str, int]:
    """The valid indexes with their numbers; there is no other."""
    found = app.admin(INDEXES)
    assert all(valid for *_, valid in found), found
    return {name: number for name, number, _ in found}


def test_each_index_of_a_table_is_rebuilt_and_the_invalid_one_with_them(
    app: AppDatabaseOfTests,
) -> None:
    before = numbers(app)
    app.admin("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_topic'::regclass")
    run = run_on(app, REINDEX)
    assert run.plan.before == "2, 1 invalid"
    assert run.execute()["rebuild_indexes"] == {
        "rebuilt": ["by_topic", "questions_pkey"],
        "sent": 2,
    }
    after = numbers(app)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_one_index_alone_is_rebuilt(app: AppDatabaseOfTests) -> None:
    before = numbers(app)
    run_on(app, {"reindex": {"table": "questions", "index": "by_topic"}}).execute()
    after = numbers(app)
    assert {name for name in before if before[name] != after[name]} == {"by_topic"}


def test_readers_and_writers_go_on_beside_a_rebuild(app: AppDatabaseOfTests) -> None:
    """By locks, not by milliseconds: none is held or asked for that keeps one of them waiting."""
    holder = app.idle(statement="INSERT INTO questions VALUES (0)")
    run = run_on(app, REINDEX)
    thread = threading.Thread(target=run.execute)
    thread.start()
    waits = f"it waits for the transaction of pid {holder}."
    assert wait_until(lambda: any(each.endswith(waits) for each in run.context.told), LONG_S)
    locks = "SELECT mode FROM pg_locks l WHERE relation = 'questions'::regclass AND pid <> {}"
    modes = {mode for (mode,) in app.admin(locks.format(holder))}
    assert "ShareUpdateExclusiveLock" in modes
    assert not modes & {"ShareLock", "ExclusiveLock", "AccessExclusiveLock"}
    app.admin("SET lock_timeout = 1; SELECT * FROM questions WHERE topic = 'a'")
    app.admin("SET lock_timeout = 1; UPDATE questions SET topic = 'b' WHERE id = 2")
    app.stack.close()
    thread.join(LONG_S)
    assert len(numbers(app)) == 2


def test_a_plain_rebuild_would_keep_readers_waiting(app: AppDatabaseOfTests) -> None:
    """What the runbook says to type, so that the test before can fail."""
    connection = app.connect("quiz_app")
    connection.execute("BEGIN")
    connection.execute("REINDEX TABLE questions")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        app.admin("SET lock_timeout = 1; SELECT * FROM questions WHERE topic = 'a'")


def test_a_copy_that_an_interrupted_rebuild_has_left_is_dropped(app: AppDatabaseOfTests) -> None:
    app.idle(statement="INSERT INTO questions VALUES (0)")
    pid = app.running("REINDEX INDEX CONCURRENTLY by_topic")
    assert wait_until(lambda: any(not valid for *_, valid in app.admin(INDEXES)), LONG_S)
    app.admin(f"SELECT pg_cancel_backend({pid})")
    assert wait_until(lambda: app.state(pid) == "idle", LONG_S)
    app.stack.close()
    run = run_on(app, REINDEX)
    run.execute()
    left = "A rebuild has left the invalid copy by_topic_ccnew; it is dropped."
    assert left in run.context.told
    assert numbers(app).keys() == {"by_topic", "questions_pkey"}


def test_an_index_that_is_not_there_is_told_with_those_that_are_close(
    app: AppDatabaseOfTests,
) -> None:
    held = plan_of(app, {"reindex": {"table": "questions", "index": "by_topics"}})
    assert isinstance(held, PlanHeld)
    assert (held.guard, "It has by_topic." in held.reason) == ("unknown_index", True)


def test_a_table_is_vacuumed_once_by_the_servers_own_word(app: AppDatabaseOfTests) -> None:
    run = run_on(app, {"vacuum": {"table": "questions"}})
    assert (run.plan.before, run.plan.after) == ("last by hand never", "vacuumed and analyzed")
    assert run.execute()["vacuum"] == {"sent": 1}
    counted = "SELECT vacuum_count, analyze_count FROM pg_stat_user_tables"
    assert app.admin(counted) == [(1, 2)]
    del run.records["vacuum"]  # a crash before the record
    run.execute()
    assert run.records["vacuum"] == {"sent": 0}
    assert app.admin(counted) == [(1, 2)]


def test_a_vacuum_that_the_server_passes_over_is_no_success(app: AppDatabaseOfTests) -> None:
    """PostgreSQL only warns where the right is missing."""
    run = run_on(app, {"vacuum": {"table": "questions"}})
    app.admin("ALTER TABLE questions OWNER TO other_app")
    with pytest.raises(StepFailed, match="sent 3 times without effect"):
        run.execute()


EXPLAIN = {"explain": {"table": "questions", "where": [{"column": "topic", "value": "topic 1"}]}}


def test_a_query_is_explained_and_not_executed(app: AppDatabaseOfTests) -> None:
    run = run_on(app, EXPLAIN)
    record = run.execute()["explain"]
    assert record["nodes"] == ["Bitmap Heap Scan on questions", "Bitmap Index Scan by by_topic"]
    assert run.context.told[0].startswith(
        "Bitmap Heap Scan on questions ← Bitmap Index Scan by by_topic: cost "
    )
    assert run.context.intents == {}


def test_a_hostile_value_stays_a_value(app: AppDatabaseOfTests) -> None:
    hostile = "'; DROP TABLE questions; --"
    where = [{"column": "topic", "op": "!=", "value": hostile}]
    run_on(app, {"explain": {"table": "questions", "where": where}}).execute()
    assert len(app.admin("SELECT 1 FROM questions")) == 1000


REBUILD = ("prepare", "announce", "rebuild_indexes", "verify_rebuilt", "conclude", "report")
VACUUM = ("prepare", "announce", "vacuum", "verify_vacuum", "conclude", "report")
CASES = [
    *[(REINDEX, each) for each in boundaries(*REBUILD)],
    *[({"vacuum": {"table": "questions"}}, each) for each in boundaries(*VACUUM)],
]


@pytest.mark.spread(
    "done:rebuild_indexes", "recorded:rebuild_indexes", "done:vacuum", "recorded:vacuum"
)
@pytest.mark.parametrize(("operation", "boundary"), CASES)
def test_a_run_that_dies_anywhere_comes_to_the_same_end(
    app: AppDatabaseOfTests, databases: Databases, operation: dict[str, Any], boundary: str
) -> None:
    before = numbers(app)
    request = replace(asked(operation), origin=Origin(PERSON, "anna", "the table is slow"))
    ended, _ = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended is not None
    assert ended.status == "succeeded"
    rebuilt = before.keys() if "reindex" in operation else set()
    assert {name for name, number in numbers(app).items() if number != before[name]} == rebuilt
    if "vacuum" in operation:
        assert app.admin("SELECT vacuum_count FROM pg_stat_user_tables") == [(1,)]
