"""Indexes that a real PostgreSQL builds beside readers and writers, and builds that are cut off."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from service.catalogue.app_database.index_work import TRIES, wanted_index
from service.catalogue.app_database.kind import KIND
from service.catalogue.registry import checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import FailureKind, TargetChanged, VendorError
from service.ports.app_database import Running, WantedIndex
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
from tests.postgres import PostgresServer, postgres_server
from tests.processes import ROOT, wait_until

WANTED = {
    "table": "questions",
    "columns": ["topic", "difficulty"],
    "where": [{"column": "is_active", "value": True}],
}
NAME = "idx_questions_topic_difficulty"
DEFINITION = (
    f"CREATE INDEX {NAME} ON public.questions USING btree (topic, difficulty) "
    "WHERE (is_active = true)"
)
INDEXES = (
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = 'questions'::regclass AND NOT i.indisprimary"
)


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        with_questions(made)
        yield made


def asked(**changes: Any) -> Request:
    options = checked_options("optimize_database", {"index": {**WANTED, **changes}})
    return request_for("optimize_database", APP_DATABASE, options=options)


def plan_of(app: AppDatabaseOfTests, **changes: Any) -> Plan | PlanHeld:
    return works_on(FastClock(), app_database=PostgresDatabase(url=app.url())).plan(
        asked(**changes)
    )


def held(app: AppDatabaseOfTests, **changes: Any) -> PlanHeld:
    found = plan_of(app, **changes)
    assert isinstance(found, PlanHeld), found
    return found


def run_on(app: AppDatabaseOfTests, **changes: Any) -> FakeRun:
    database = PostgresDatabase(url=app.url())
    clock = FastClock()
    return planned(works_on(clock, app_database=database, timings=TIMINGS), asked(**changes), clock)


def cut_off(app: AppDatabaseOfTests) -> None:
    """A build that somebody has cancelled: its invalid index is left."""
    app.idle(statement="INSERT INTO questions VALUES (0)")
    pid = app.running(DEFINITION.replace("INDEX", "INDEX CONCURRENTLY", 1))
    assert wait_until(lambda: app.admin(INDEXES) == [(NAME, False)], LONG_S)
    app.admin(f"SELECT pg_cancel_backend({pid})")
    assert wait_until(lambda: app.state(pid) == "idle", LONG_S)
    app.stack.close()


def test_an_index_is_built_valid_and_as_it_was_wanted(app: AppDatabaseOfTests) -> None:
    run = run_on(app)
    assert (run.plan.what, run.plan.before, run.plan.after) == (f"index {NAME}", "none", "valid")
    assert "It has about 1,000 rows in " in run.plan.downtime
    records = run.execute()
    assert records["build_index"] == {"index": NAME, "built": 1}
    assert records["verify_index"] == {"index": NAME, "definition": DEFINITION}
    assert app.admin(INDEXES) == [(NAME, True)]


def test_writers_go_on_beside_the_build_and_its_wait_is_told(app: AppDatabaseOfTests) -> None:
    """The build waits for a transaction; meanwhile others write. By locks, not by milliseconds."""
    holder = app.idle(statement="INSERT INTO questions VALUES (0)")
    run = run_on(app)
    thread = threading.Thread(target=run.execute)
    thread.start()
    waits = f"it waits for the transaction of pid {holder}."
    assert wait_until(lambda: any(each.endswith(waits) for each in run.context.told), LONG_S)
    app.admin("SET lock_timeout = 1; UPDATE questions SET topic = 'a' WHERE id = 1")
    app.admin("SET lock_timeout = 1; SELECT * FROM questions")
    assert not app.admin(
        "SELECT 1 FROM pg_locks WHERE relation = 'questions'::regclass AND granted "
        "AND mode IN ('ShareLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    )
    app.admin(f"SELECT pg_terminate_backend({holder})")
    thread.join(LONG_S)
    assert app.admin(INDEXES) == [(NAME, True)]


def test_an_invalid_index_of_a_build_that_was_cut_off_is_dropped_and_built_anew(
    app: AppDatabaseOfTests,
) -> None:
    cut_off(app)
    run = run_on(app)
    assert run.plan.before == "invalid"
    run.execute()
    assert run.context.told[0] == f"Index {NAME} was left invalid; it is dropped first."
    assert app.admin(INDEXES) == [(NAME, True)]


def test_a_build_that_somebody_cancels_is_healed_by_the_same_execution(
    app: AppDatabaseOfTests,
) -> None:
    app.idle(statement="INSERT INTO questions VALUES (0)")
    run = run_on(app)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert wait_until(lambda: app.admin(INDEXES) == [(NAME, False)], LONG_S)
    app.admin(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'runbookd' AND query LIKE 'CREATE INDEX%'"
    )
    app.stack.close()
    thread.join(LONG_S)
    assert run.records["build_index"] == {"index": NAME, "built": 2}
    assert app.admin(INDEXES) == [(NAME, True)]


BUILDER = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.app_databases import AppDatabaseOfTests
from tests.contract.test_concurrent_index import run_on
run_on(AppDatabaseOfTests(None, sys.argv[2])).execute()
"""


def test_a_worker_that_is_killed_in_the_middle_leaves_a_build_that_the_next_one_waits_for(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app)
    run.context.intent("build_index")
    app.idle(statement="INSERT INTO questions VALUES (0)")
    worker = subprocess.Popen([sys.executable, "-c", BUILDER, str(ROOT), app.admin_url])
    assert wait_until(lambda: app.admin(INDEXES) == [(NAME, False)], LONG_S)
    worker.send_signal(signal.SIGKILL)
    worker.wait(LONG_S)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert wait_until(lambda: bool(run.context.told), LONG_S), "it sees that the server builds"
    app.stack.close()
    thread.join(LONG_S)
    assert run.records["build_index"] == {"index": NAME, "built": 0}
    assert not any("dropped" in each for each in run.context.told), "it is not in the way"
    assert app.admin(INDEXES) == [(NAME, True)]


def test_a_server_that_is_killed_in_the_middle_leaves_an_invalid_index_that_is_built_anew() -> None:
    with postgres_server() as server, app_database(server) as app:
        with_questions(app)
        run = run_on(app)
        app.idle(statement="INSERT INTO questions VALUES (0)")
        building = threading.Thread(target=lambda: _fails(run))
        building.start()
        assert wait_until(lambda: app.admin(INDEXES) == [(NAME, False)], LONG_S)
        server.kill()
        building.join(LONG_S)
        with suppress(psycopg.Error):
            app.stack.close()
        server.start()
        assert app.admin(INDEXES) == [(NAME, False)]
        run.execute()
        assert run.records["build_index"] == {"index": NAME, "built": 1}
        assert app.admin(INDEXES) == [(NAME, True)]


def _fails(run: FakeRun) -> None:
    """An execution whose server goes away, as its process does."""
    with pytest.raises(VendorError) as away:
        run.execute()
    assert away.value.kind is FailureKind.TEMPORARY


def test_another_index_of_that_name_is_left_as_it_is(app: AppDatabaseOfTests) -> None:
    app.admin(f"CREATE INDEX {NAME} ON questions (topic, difficulty) WHERE NOT is_active")
    found = held(app)
    assert found.guard == "other_definition"
    assert "WHERE (NOT is_active). It is left as it is. Give the wanted one another" in found.reason


def test_another_index_that_somebody_makes_after_the_plan_is_left_as_it_is(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app)
    app.admin(f"CREATE INDEX {NAME} ON questions (id)")
    with pytest.raises(TargetChanged, match=r"another index .* meanwhile"):
        run.execute()
    assert app.admin(INDEXES) == [(NAME, True)]


@pytest.mark.parametrize(
    "existing",
    [DEFINITION, "CREATE INDEX other ON questions (topic, difficulty) WHERE is_active IN (true)"],
)
def test_an_index_that_is_there_is_not_built_twice(app: AppDatabaseOfTests, existing: str) -> None:
    app.admin(existing)
    assert held(app).guard == "already_there"


@pytest.mark.parametrize(
    ("changes", "guard", "sentence"),
    [
        (
            {"table": "question"},
            "unknown_table",
            "no table question. Close to it: public.qu",
        ),
        ({"table": "other.questions"}, "unknown_table", "Close to it: public.questions."),
        ({"columns": ["dificulty"]}, "unknown_column", "Close to it: difficulty."),
        ({"where": [{"column": "active", "value": 1}]}, "unknown_column", "no column active."),
        ({"table": "pg_class", "columns": ["oid"]}, "unknown_table", "no table pg_class"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are_close(
    app: AppDatabaseOfTests, changes: dict[str, Any], guard: str, sentence: str
) -> None:
    found = held(app, **changes)
    assert found.guard == guard
    assert sentence in found.reason


def test_a_table_of_somebody_else_is_told_with_what_to_grant(app: AppDatabaseOfTests) -> None:
    app.admin("ALTER TABLE questions OWNER TO other_app")
    assert "GRANT other_app TO runbookd_ops;" in held(app).reason


def test_a_unique_index_that_cannot_be_leaves_nothing_behind(app: AppDatabaseOfTests) -> None:
    run = run_on(app, unique=True, where=[])
    with pytest.raises(VendorError, match="could not create unique index"):
        run.execute()
    assert app.admin(INDEXES) == [(NAME, False)]
    left = run.works.make_safe(run.context, run.request, run.plan)
    assert left == f"Index {NAME} was left invalid by the build, and was dropped."
    assert app.admin(INDEXES) == []


class Away(PostgresDatabase):
    """A database that takes no connection for a build, so many times."""

    def __init__(self, url: str, times: int) -> None:
        super().__init__(url=url)
        self.times = times

    def build(self, wanted: WantedIndex) -> Running:
        if self.times == 0:
            return super().build(wanted)
        self.times -= 1
        return PostgresDatabase(url="postgresql://nobody@127.0.0.1:1/none").build(wanted)


def away(app: AppDatabaseOfTests, times: int) -> FakeRun:
    clock, database = FastClock(), Away(app.url(), times)
    return planned(works_on(clock, app_database=database, timings=TIMINGS), asked(), clock)


def test_a_build_that_could_not_be_sent_is_no_try(app: AppDatabaseOfTests) -> None:
    """More often than a build is tried."""
    run = away(app, TRIES + 1)
    run.execute()
    assert run.records["build_index"] == {"index": NAME, "built": 1}


def test_a_build_that_could_never_be_sent_has_written_nothing(app: AppDatabaseOfTests) -> None:
    run = away(app, 100)
    with pytest.raises(VendorError, match="took no request to build index") as failed:
        run.execute()
    assert failed.value.kind is FailureKind.TEMPORARY
    assert run.context.intents == {}
    assert app.admin(INDEXES) == []


@pytest.fixture
def blind(app: AppDatabaseOfTests) -> Iterator[str]:
    """A role with the rights of the tables' owner, that may not see what other roles do."""
    app.admin("CREATE ROLE half_blind LOGIN")
    app.admin("GRANT quiz_app TO half_blind")
    yield "half_blind"
    app.admin("REVOKE quiz_app FROM half_blind")
    app.admin("DROP ROLE half_blind")


def test_a_build_of_another_role_is_seen_and_waited_for_without_the_right_to_see_statistics(
    app: AppDatabaseOfTests, blind: str
) -> None:
    holder = app.idle(statement="INSERT INTO questions VALUES (0)")
    build = DEFINITION.replace("INDEX", "INDEX CONCURRENTLY", 1)
    builder = app.running(build, role=app.server.role)
    assert wait_until(lambda: app.admin(INDEXES) == [(NAME, False)], LONG_S)
    clock, database = FastClock(), PostgresDatabase(url=app.url(blind))
    run = planned(works_on(clock, app_database=database, timings=TIMINGS), asked(), clock)
    thread = threading.Thread(target=run.execute)
    thread.start()
    said = (
        f"Index {NAME}: pid {builder}, of another role, works on it; how far it is, our role may "
        f"not see without pg_read_all_stats; it waits for the transaction of pid {holder}."
    )
    assert wait_until(lambda: bool(run.context.told), LONG_S)
    assert run.context.told == [said], "it is not dropped"
    app.stack.close()
    thread.join(LONG_S)
    assert run.records["build_index"] == {"index": NAME, "built": 0}


def test_a_build_of_another_role_on_another_table_is_not_taken_for_ours(
    app: AppDatabaseOfTests, blind: str
) -> None:
    cut_off(app)
    app.admin("CREATE TABLE others (id int)")
    app.admin("ALTER TABLE others OWNER TO quiz_app")
    app.idle(statement="INSERT INTO others VALUES (1)")
    app.running("CREATE INDEX CONCURRENTLY ON others (id)", role=app.server.role)
    wanted = wanted_index(
        {**WANTED, "name": NAME, "unique": False, "where": []}, "public", "questions"
    )
    seen = PostgresDatabase(url=app.url(blind)).index(wanted)
    assert seen.found is not None
    assert seen.found.builder is None


def test_the_doctor_names_the_right_that_shows_other_roles_builds(
    app: AppDatabaseOfTests, blind: str
) -> None:
    target = replace(APP_DATABASE, roles=("quiz_app",))
    assert "pg_read_all_stats" not in KIND.look(PostgresDatabase(url=app.url()), target)
    said = KIND.look(PostgresDatabase(url=app.url(blind)), target)
    assert "how far replicas are behind (archive_rows holds then)" in said
    assert said.endswith(f"it does not see: GRANT pg_read_all_stats TO {blind};")


STEPS = ("prepare", "announce", "build_index", "verify_index", "conclude", "report")


@pytest.mark.spread("done:build_index", "recorded:build_index")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_run_that_dies_anywhere_leaves_one_valid_index(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    request = replace(asked(), origin=Origin(PERSON, "anna", "the search is slow"))
    ended, _ = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended is not None
    assert ended.status == "succeeded"
    assert app.admin(INDEXES) == [(NAME, True)]
