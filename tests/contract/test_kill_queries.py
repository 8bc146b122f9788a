"""Sessions of a real PostgreSQL that are ended, and those that are spared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.app_database import options
from service.catalogue.registry import checked_options
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import FailureKind, VendorError
from service.ports.app_database import Work
from service.providers.postgresql import PostgresDatabase
from tests.app_database_runs import boundaries, dies_and_goes_on
from tests.app_databases import AppDatabaseOfTests, FastClock, app_database, walsender
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.poolers import SESSION, TRANSACTION, pooler
from tests.postgres import PostgresServer

SLEEP = "SELECT pg_sleep(600)"
ANY_AGE = {"older_than": "0s", "idle_older_than": "0s"}
IN_A_TRANSACTION = "idle in transaction"


@pytest.fixture(autouse=True)
def any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries need not grow old for the test."""
    monkeypatch.setattr(options, "SHORTEST_AGE_S", 0.0)


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        yield made


def asked(**given: Any) -> Request:
    options_ = checked_options("kill_queries", {**ANY_AGE, **given})
    return request_for("kill_queries", APP_DATABASE, options=options_)


def plan_of(app: AppDatabaseOfTests, **given: Any) -> Plan | PlanHeld:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    return works.plan(asked(**given))


def run_on(app: AppDatabaseOfTests, **given: Any) -> FakeRun:
    """A run whose plan is made of the database as it is now."""
    clock = FastClock()
    database = PostgresDatabase(url=app.url())
    works = works_on(clock, app_database=database, timings=Timings(settle_unknown_s=1.0))
    return planned(works, asked(**given), clock)


def pids(plan: Plan | PlanHeld) -> dict[str, set[int]]:
    assert isinstance(plan, Plan), plan
    return {name: {each["pid"] for each in plan.wanted[name]} for name in ("running", "idle")}


def test_a_long_query_is_cancelled_and_its_session_lives(app: AppDatabaseOfTests) -> None:
    pid = app.running(SLEEP)
    run = run_on(app)
    assert run.execute() == {
        "cancel": {"told": [pid]},
        "terminate": {"told": []},
        "verify": {"ended": 1},
    }
    assert app.state(pid) == "idle"


def test_a_query_that_ignores_the_cancel_loses_its_session(app: AppDatabaseOfTests) -> None:
    pid = app.running("SELECT stubborn()")
    run = run_on(app)
    records = run.execute()
    assert (records["cancel"], records["terminate"]) == ({"told": [pid]}, {"told": [pid]})
    assert app.state(pid) == "gone"
    assert run.context.told == [f"Ended the sessions that went on: pid {pid}."]


def test_a_session_that_is_idle_in_a_transaction_is_ended_and_gives_its_locks_back(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("CREATE TABLE questions (id int)")
    app.admin("GRANT ALL ON questions TO quiz_app")
    pid = app.idle(statement="LOCK TABLE questions")
    run = run_on(app)
    assert run.execute()["terminate"] == {"told": [pid]}
    assert app.state(pid) == "gone"
    assert app.admin("SELECT count(*) FROM pg_locks WHERE relation = 'questions'::regclass") == [
        (0,)
    ]


def test_only_idle_transactions_that_a_rule_names_an_age_for_are_ended(
    app: AppDatabaseOfTests,
) -> None:
    app.idle()
    held = plan_of(app, idle_older_than=None)
    assert isinstance(held, PlanHeld)
    assert held.guard == "nothing_to_end"


def test_a_walsender_of_the_applications_own_role_lives(app: AppDatabaseOfTests) -> None:
    streaming = walsender(app)
    try:
        kinds = app.admin(
            "SELECT datname, state FROM pg_stat_activity WHERE backend_type='walsender'"
        )
        assert (sa.make_url(app.admin_url).database, "active") in kinds
        pid = app.running(SLEEP)
        run = run_on(app)
        assert pids(run.plan) == {"running": {pid}, "idle": set()}
        assert "Spared: 1 of PostgreSQL itself (walsender)." in run.plan.downtime
        # Even where a plan names it, the statement that signals passes over it.
        rows = app.admin(
            "SELECT pid, backend_start::text, query_start::text FROM pg_stat_activity "
            "WHERE backend_type = 'walsender' AND datname = current_database()"
        )
        (found,) = [Work(int(str(a)), str(b), str(c), idle=False) for a, b, c in rows]
        assert PostgresDatabase(url=app.admin_url).terminate([found]) == []
        run.execute()
        assert app.state(found.pid) == "active"
    finally:
        streaming.finish()


def test_sessions_of_others_and_of_spared_applications_are_left_alone(
    app: AppDatabaseOfTests,
) -> None:
    pid = app.running(SLEEP, "quiz_report")
    spared = [
        app.running(SLEEP, "other_app"),
        app.running(SLEEP, "quiz_app", "migrations"),
        app.running(SLEEP, "quiz_app", "pg_dump"),
    ]
    run = run_on(app)
    assert pids(run.plan)["running"] == {pid}
    assert "Spared: 1 of migrations, 1 of pg_dump, 1 of role other_app." in run.plan.downtime
    run.execute()
    assert [app.state(each) for each in spared] == ["active"] * 3


def test_sessions_of_another_database_are_not_even_seen(
    app: AppDatabaseOfTests, postgres: PostgresServer
) -> None:
    with app_database(postgres) as elsewhere:
        pid = elsewhere.running(SLEEP)
        assert isinstance(plan_of(app), PlanHeld)
        assert elsewhere.state(pid) == "active"


def test_an_index_build_is_spared_by_what_the_server_says_of_it_too(
    app: AppDatabaseOfTests,
) -> None:
    """A CREATE INDEX CONCURRENTLY that is cancelled leaves an invalid index behind."""
    app.admin("CREATE TABLE questions (id int); GRANT ALL ON questions TO quiz_app")
    app.admin("ALTER TABLE questions OWNER TO quiz_app")
    holder = app.idle(statement="INSERT INTO questions VALUES (1)")  # the build waits for it
    pid = app.running("CREATE INDEX CONCURRENTLY by_id ON questions (id)")
    seen = PostgresDatabase(url=app.url()).activity().sessions
    assert [each.pid for each in seen if each.maintains] == [pid]
    plan = plan_of(app)
    assert pids(plan) == {"running": set(), "idle": {holder}}
    assert isinstance(plan, Plan)
    assert "1 that would leave something half done (CREATE)" in plan.downtime


def test_another_query_of_the_same_session_is_other_work(app: AppDatabaseOfTests) -> None:
    """Between the plan and the signal the first query has ended, and the next one is innocent."""
    connection = app.connect("quiz_app")
    pid = connection.info.backend_pid
    connection.execute("BEGIN")
    (first,) = run_on(app).plan.wanted["idle"]
    connection.execute("COMMIT")
    connection.execute("BEGIN")
    connection.execute("SELECT 1")
    database = PostgresDatabase(url=app.url())
    work = Work(first["pid"], first["began"], first["since"], idle=True)
    assert database.going_on([work]) == []
    assert database.terminate([work]) == []
    assert app.state(pid) == IN_A_TRANSACTION


def test_a_transaction_that_works_and_is_only_between_two_statements_is_left_alone(
    app: AppDatabaseOfTests,
) -> None:
    """It is idle whenever somebody looks between two of its statements, however old it is."""
    connection = app.connect("quiz_app")
    connection.execute("BEGIN")
    (first,) = run_on(app).plan.wanted["idle"]
    connection.execute("SELECT 1")
    (again,) = run_on(app).plan.wanted["idle"]
    assert again["since"] > first["since"]
    database = PostgresDatabase(url=app.url())
    work = Work(first["pid"], first["began"], first["since"], idle=True)
    assert database.going_on([work]) == []
    assert database.terminate([work]) == []
    assert app.state(first["pid"]) == IN_A_TRANSACTION


def test_a_run_ends_only_so_many_and_the_oldest_first(app: AppDatabaseOfTests) -> None:
    oldest, second, *rest = [app.running(SLEEP) for _ in range(4)]
    plan = plan_of(app, most=2)
    assert pids(plan)["running"] == {oldest, second}
    assert isinstance(plan, Plan)
    assert "2 more are left for now" in plan.downtime
    assert len(rest) == 2


def test_the_plan_names_each_session_and_no_text_of_its_query(app: AppDatabaseOfTests) -> None:
    pid = app.running("SELECT pg_sleep(600), 'a secret answer'")
    plan = plan_of(app)
    assert isinstance(plan, Plan)
    assert plan.before == f"pid {pid}"
    digests = dict(app.admin("SELECT pid, left(md5(query), 8) FROM pg_stat_activity"))
    assert f"pid {pid} (quiz_app, " in plan.downtime
    assert f"SELECT {digests[pid]})" in plan.downtime
    assert "secret" not in str(plan.to_json())


def test_a_role_without_rights_is_told_what_to_grant(app: AppDatabaseOfTests) -> None:
    app.running(SLEEP)
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url("blind")))
    held = works.plan(asked())
    assert isinstance(held, PlanHeld)
    assert held.guard == "rights"
    assert "Run this as a superuser: GRANT pg_read_all_stats, pg_signal_backend TO blind;" in (
        held.reason
    )


def test_a_role_that_is_not_there_is_told_with_those_that_are_close(
    app: AppDatabaseOfTests,
) -> None:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    held = works.plan(replace(asked(), on=replace(APP_DATABASE, roles=("quizz_app",))))
    assert isinstance(held, PlanHeld)
    assert "no role quizz_app that may log in. Close to it: quiz_app" in held.reason


# ---- The connection ----


def test_our_sessions_say_who_they_are_and_wait_for_nothing_for_long(
    app: AppDatabaseOfTests,
) -> None:
    database = PostgresDatabase(url=app.url())
    with database._open("look") as connection:
        (shown,) = connection.execute(
            "SELECT application_name, current_setting('lock_timeout') AS lock, "
            "current_setting('statement_timeout') AS statement FROM pg_stat_activity "
            "WHERE pid = pg_backend_pid()"
        ).fetchall()
    assert shown == {"application_name": "runbookd", "lock": "5s", "statement": "8s"}


def test_runbookds_own_database_is_refused_whatever_its_address_is_called(
    app: AppDatabaseOfTests, tmp_path: Any
) -> None:
    """The server is asked: the two addresses have nothing in common."""
    (tmp_path / "link").symlink_to(str(sa.make_url(app.admin_url).query["host"]))
    other_name = sa.make_url(app.admin_url).set(query={"host": str(tmp_path / "link")})
    own = other_name.render_as_string(hide_password=False)
    with pytest.raises(VendorError, match="runbookd keeps its own state in") as refused:
        PostgresDatabase(url=app.url(), own_url=own).activity()
    assert refused.value.kind is FailureKind.PERMANENT


def test_another_database_of_the_same_server_is_taken(
    app: AppDatabaseOfTests, postgres: PostgresServer
) -> None:
    own = postgres.create()
    assert PostgresDatabase(url=app.url(), own_url=own).activity().server.role == "runbookd_ops"
    postgres.drop(own)


def test_a_pooler_that_shares_sessions_is_refused(app: AppDatabaseOfTests, tmp_path: Any) -> None:
    with (
        pooler(app.admin_url, TRANSACTION, tmp_path) as address,
        pytest.raises(VendorError, match=r"pooler in transaction mode.*Set APP_DATABASE_URL to"),
    ):
        PostgresDatabase(url=address).activity()


def test_a_pooler_in_session_mode_is_taken(app: AppDatabaseOfTests, tmp_path: Any) -> None:
    pid = app.running(SLEEP)
    with pooler(app.admin_url, SESSION, tmp_path) as address:
        seen = PostgresDatabase(url=address).activity()
    assert pid in [each.pid for each in seen.sessions]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "APP_DATABASE_URL is not set"),
        ("postgresql://a:hidden-word@db.example:6543/app", "port 6543 is such a pooler's"),
        ("mysql://a:hidden-word@db.example/app", "APP_DATABASE_URL is no address of a PostgreSQL"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_its_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(VendorError, match=sentence) as refused:
        PostgresDatabase(url=url).activity()
    assert refused.value.kind is FailureKind.PERMANENT
    assert "hidden-word" not in str(refused.value)


def test_a_server_that_is_away_allows_another_try(app: AppDatabaseOfTests) -> None:
    with pytest.raises(VendorError) as refused:
        PostgresDatabase(url="postgresql://a:hidden-word@127.0.0.1:1/app").activity()
    assert refused.value.kind is FailureKind.TEMPORARY


# ---- Executions that die ----


STEPS = ("prepare", "announce", "cancel", "terminate", "verify", "conclude", "report")


@pytest.mark.spread("done:terminate", "recorded:terminate")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_run_that_dies_anywhere_ends_the_sessions_of_its_plan_and_no_others(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    stubborn, idle = app.running("SELECT stubborn()"), app.idle()
    request = replace(asked(), origin=Origin(PERSON, "anna", "the database is slow"))
    innocents: list[int] = []
    ended, _ = dies_and_goes_on(
        *(databases, request, boundary, app.url()),
        meanwhile=lambda: innocents.append(app.running(SLEEP)),
    )
    assert ended is not None
    assert ended.status == "succeeded"
    assert [app.state(each) for each in (stubborn, idle)] == ["gone", "gone"]
    planned_late = boundary == "done:prepare"  # the plan that counts was made by the second one
    (innocent,) = innocents
    assert app.state(innocent) == ("idle" if planned_late else "active")
