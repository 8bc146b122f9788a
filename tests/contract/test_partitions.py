"""Partitions that a real PostgreSQL is given ahead of time, and old ones that it detaches."""

# ruff: noqa: S608 - the statements are made of names and years of this module
from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from service.catalogue.app_database.partitions import begin_of, moved, wanted_periods
from service.catalogue.registry import checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.app_database import Span, WantedPartition
from service.providers.postgresql import PostgresDatabase
from service.providers.postgresql_partitions import add_partition, exclude
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import LONG_S, OURS, AppDatabaseOfTests, FastClock, app_database
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer
from tests.processes import wait_until

TABLE = "user_sessions"
ATTACHED = (
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c "
    f"JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = '{TABLE}'::regclass ORDER BY 1"
)
CONSTRAINTS = "SELECT conname FROM pg_constraint WHERE conname LIKE 'runbookd%'"


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        made.admin(f"GRANT quiz_app TO {OURS}")
        with made.connect("quiz_app") as owner:
            owner.execute(
                f"CREATE TABLE {TABLE} (id int, begun timestamptz DEFAULT now(), "
                "note text NOT NULL, PRIMARY KEY (id, begun), CHECK (id > 0)) "
                "PARTITION BY RANGE (begun)"
            )
        yield made


def today() -> date:
    return datetime.now(UTC).date()


def year(ahead: int = 0) -> int:
    return today().year + ahead


def given(**changes: Any) -> dict[str, Any]:
    return {"table": TABLE, "column": "begun", "by": "year", "ahead": 2, **changes}


def asked(**changes: Any) -> Request:
    options = checked_options("optimize_database", {"partition": given(**changes)})
    return request_for("optimize_database", APP_DATABASE, options=options)


def plan_of(app: AppDatabaseOfTests, **changes: Any) -> Plan | PlanHeld:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    return works.plan(asked(**changes))


def held(app: AppDatabaseOfTests, **changes: Any) -> PlanHeld:
    found = plan_of(app, **changes)
    assert isinstance(found, PlanHeld), found
    return found


def run_on(app: AppDatabaseOfTests, **changes: Any) -> FakeRun:
    clock, database = FastClock(), PostgresDatabase(url=app.url())
    works = works_on(clock, app_database=database, timings=TIMINGS)
    return planned(works, asked(**changes), clock)


def attach(app: AppDatabaseOfTests, name: str, bound: str, table: str = TABLE) -> None:
    app.admin(f"CREATE TABLE {name} PARTITION OF {table} {bound}")
    app.admin(f"ALTER TABLE {name} OWNER TO quiz_app")


def of_year(number: int) -> str:
    return f"FOR VALUES FROM ('{number}-01-01+00') TO ('{number + 1}-01-01+00')"


def with_default(app: AppDatabaseOfTests) -> None:
    """A default partition, and the one for now."""
    attach(app, f"{TABLE}_rest", "DEFAULT")
    attach(app, f"{TABLE}_{year()}", of_year(year()))


def attached(app: AppDatabaseOfTests) -> dict[str, str]:
    with psycopg.connect(app.admin_url, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        return dict(connection.execute(ATTACHED).fetchall())


def bound(begin: int) -> str:
    return f"FOR VALUES FROM ('{begin}-01-01 00:00:00+00') TO ('{begin + 1}-01-01 00:00:00+00')"


def wanted(name: str, begin: int, default: str = "") -> WantedPartition:
    span = Span(f"{begin}-01-01 00:00:00", f"{begin + 1}-01-01 00:00:00")
    kind = "timestamp with time zone"
    return WantedPartition(
        "public", TABLE, "quiz_app", "begun", kind, name, span, "public" if default else "", default
    )


def test_the_runbooks_partitions_are_made_with_exactly_its_bounds(app: AppDatabaseOfTests) -> None:
    run = run_on(app)
    names = [f"{TABLE}_{year(ahead)}" for ahead in range(3)]
    assert (run.plan.before, run.plan.after) == ("0 partitions", "3 partitions")
    assert run.execute()["add_partitions"] == {"added": names}
    assert attached(app) == {name: bound(year(at)) for at, name in enumerate(names)}


def test_a_new_partition_is_its_tables_owners_and_has_its_keys_and_checks(
    app: AppDatabaseOfTests,
) -> None:
    run_on(app, ahead=1).execute()
    name = f"{TABLE}_{year()}"
    assert app.admin(f"SELECT tableowner FROM pg_tables WHERE tablename = '{name}'") == [
        ("quiz_app",)
    ]
    with app.connect("quiz_app") as writer:
        row = f"INSERT INTO {TABLE} VALUES (%s, '{today()}', %s)"
        writer.execute(row, (1, "a"))
        for refused in ((1, "again"), (-1, "negative"), (2, None)):
            with pytest.raises(psycopg.errors.IntegrityError):
                writer.execute(row, refused)
    assert app.admin(f"SELECT count(*) FROM {name}") == [(1,)]


def test_asked_twice_it_changes_nothing(app: AppDatabaseOfTests) -> None:
    run_on(app).execute()
    before = attached(app)
    found = held(app)
    assert found.guard == "already_there"
    assert f"up to {year(3)}-01-01 already" in found.reason
    assert attached(app) == before


def test_one_more_ahead_makes_one_more(app: AppDatabaseOfTests) -> None:
    run_on(app, ahead=1).execute()
    run = run_on(app, ahead=2)
    assert run.plan.wanted["add"] == [
        {
            "name": f"{TABLE}_{year(2)}",
            "lower": f"{year(2)}-01-01 00:00:00",
            "upper": f"{year(3)}-01-01 00:00:00",
        }
    ]
    run.execute()
    assert len(attached(app)) == 3


@pytest.mark.parametrize(
    ("kind", "by"), [("date", "day"), ("timestamp", "week"), ("timestamptz(3)", "month")]
)
def test_every_type_of_time_and_every_length_has_its_bounds_in_utc(
    app: AppDatabaseOfTests, kind: str, by: str
) -> None:
    app.admin(f"CREATE TABLE events (at {kind}) PARTITION BY RANGE (at)")
    app.admin("ALTER TABLE events OWNER TO quiz_app")
    with app.connect(OURS) as session:
        name = session.info.dbname
    app.admin(f"ALTER ROLE {OURS} IN DATABASE {name} SET datestyle = 'German'")
    run = run_on(app, table="events", column="at", by=by, ahead=1)
    run.execute()
    begin = begin_of(today(), by)
    for at in (begin, moved(begin, by, 1)):
        app.admin(f"SET timezone = 'UTC'; INSERT INTO events VALUES ('{at}')")
    assert app.admin("SELECT count(DISTINCT tableoid) FROM events") == [(2,)]
    assert held(app, table="events", column="at", by=by, ahead=1).guard == "already_there"


def test_writers_go_on_while_a_partition_is_attached(app: AppDatabaseOfTests) -> None:
    """By locks, not by milliseconds: what attaches waits for no writer, and no writer for it."""
    attach(app, f"{TABLE}_{year()}", of_year(year()))
    app.idle(statement=f"INSERT INTO {TABLE} (id, note) VALUES (1, 'a')")
    with psycopg.connect(app.admin_url, row_factory=dict_row) as connection:
        add_partition(connection, wanted(f"{TABLE}_{year(1)}", year(1)))
        app.admin(
            f"SET lock_timeout = 1; INSERT INTO {TABLE} (id, note) VALUES (2, 'b'); "
            f"SELECT * FROM {TABLE}"
        )
        with pytest.raises(psycopg.errors.LockNotAvailable):
            app.admin(f"SET lock_timeout = 1; DROP TABLE {TABLE}")
        connection.rollback()


def test_the_runbooks_own_statement_would_wait_for_writers_and_keep_others_waiting(
    app: AppDatabaseOfTests,
) -> None:
    """So that the test before can fail."""
    attach(app, f"{TABLE}_{year()}", of_year(year()))
    app.idle(statement=f"INSERT INTO {TABLE} (id, note) VALUES (1, 'a')")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        app.admin(
            "SET lock_timeout = 1; "
            f"CREATE TABLE {TABLE}_{year(1)} PARTITION OF {TABLE} {of_year(year(1))}"
        )


def test_a_default_partition_is_proven_beside_its_writers_and_not_read_under_a_lock(
    app: AppDatabaseOfTests,
) -> None:
    with_default(app)
    app.admin(f"INSERT INTO {TABLE} VALUES (1, '2001-01-01', 'old')")
    run = run_on(app, ahead=1)
    assert f"the default partition {TABLE}_rest (" in run.plan.downtime
    run.execute()
    assert attached(app)[f"{TABLE}_{year(1)}"] == bound(year(1))
    assert app.admin(CONSTRAINTS) == []
    app.admin(f"INSERT INTO {TABLE} VALUES (2, '{year(3)}-01-01', 'later')")


def test_the_proven_constraint_is_one_that_postgresql_attaches_by(app: AppDatabaseOfTests) -> None:
    """It says so itself, where it need not read the default partition."""
    with_default(app)
    notices: list[str] = []
    new = wanted(f"{TABLE}_{year(1)}", year(1), f"{TABLE}_rest")
    with psycopg.connect(app.admin_url, autocommit=True, row_factory=dict_row) as connection:
        connection.add_notice_handler(lambda said: notices.append(said.message_primary or ""))
        exclude(connection, new)
        connection.execute(f"ALTER TABLE {TABLE}_rest VALIDATE CONSTRAINT {new.exclusion}")
        connection.execute("SET client_min_messages = debug1")
        add_partition(connection, new)
    implied = f'updated partition constraint for default partition "{TABLE}_rest" is implied'
    assert any(each.startswith(implied) for each in notices), notices


def test_rows_in_the_default_partition_that_belong_into_a_new_one_hold_it(
    app: AppDatabaseOfTests,
) -> None:
    with_default(app)
    app.admin(
        f"INSERT INTO {TABLE} VALUES (1, '{year(2)}-05-01', 'a'), (2, '{year(2)}-06-01', 'b')"
    )
    found = held(app)
    assert found.guard == "default_partition"
    assert f"in its default partition {TABLE}_rest: {TABLE}_{year(2)} (2)." in found.reason
    assert len(attached(app)) == 2


def test_a_row_that_comes_into_the_default_partition_after_the_plan_fails_the_run_and_is_kept(
    app: AppDatabaseOfTests,
) -> None:
    with_default(app)
    run = run_on(app, ahead=1)
    app.admin(f"INSERT INTO {TABLE} VALUES (1, '{year(1)}-05-01', 'a')")
    with pytest.raises(VendorError, match="is violated by some row"):
        run.execute()
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert said == "None was made. The default partition takes all rows again."
    assert app.admin(CONSTRAINTS) == []
    assert app.admin(f"SELECT count(*) FROM {TABLE}_rest") == [(1,)]


def test_a_default_partition_that_takes_the_rows_of_now_holds_it(app: AppDatabaseOfTests) -> None:
    attach(app, f"{TABLE}_rest", "DEFAULT")
    found = held(app)
    assert found.guard == "default_partition"
    assert f"A person makes it at a quiet time: CREATE TABLE {TABLE}_{year()} PARTITION OF" in (
        found.reason
    )


def test_a_lock_that_is_not_given_is_asked_for_again_and_keeps_nobody_waiting_for_long(
    app: AppDatabaseOfTests,
) -> None:
    with_default(app)
    holder = app.idle(statement=f"SELECT * FROM {TABLE}_rest")
    run = run_on(app, ahead=1)
    thread = threading.Thread(target=run.execute)
    thread.start()
    waits = f"SELECT 1 FROM pg_locks WHERE relation = '{TABLE}_rest'::regclass AND NOT granted"
    assert wait_until(lambda: bool(app.admin(waits)), LONG_S)
    assert wait_until(lambda: not app.admin(waits), LONG_S), "it gives up before the holder ends"
    assert app.state(holder) == "idle in transaction"
    app.stack.close()
    thread.join(LONG_S)
    assert attached(app)[f"{TABLE}_{year(1)}"] == bound(year(1))


def test_an_old_partition_is_detached_named_and_kept_with_its_rows(app: AppDatabaseOfTests) -> None:
    for back in (3, 2, 1, 0):
        attach(app, f"{TABLE}_{year(-back)}", of_year(year(-back)))
    app.admin(f"INSERT INTO {TABLE} VALUES (1, '{year(-3)}-05-01', 'a')")
    run = run_on(app, ahead=1, keep=1)
    old = [f"{TABLE}_{year(-3)}", f"{TABLE}_{year(-2)}"]
    assert all(f"{name} (" in run.plan.downtime for name in old)
    assert "will be detached beside readers and writers, and not dropped" in run.plan.downtime
    assert run.execute()["detach_partitions"] == {"detached": old}
    assert attached(app).keys() == {f"{TABLE}_{year(at)}" for at in (-1, 0, 1)}
    assert app.admin(f"SELECT note FROM {old[0]}") == [("a",)]
    assert held(app, ahead=1, keep=1).guard == "already_there"


def test_nothing_is_detached_unless_it_was_asked_for(app: AppDatabaseOfTests) -> None:
    attach(app, f"{TABLE}_2001", of_year(2001))
    run_on(app).execute()
    assert f"{TABLE}_2001" in attached(app)


def test_a_detaching_waits_for_readers_says_for_whom_and_keeps_none_waiting(
    app: AppDatabaseOfTests,
) -> None:
    attach(app, f"{TABLE}_2001", of_year(2001))
    reader = app.idle(statement=f"SELECT * FROM {TABLE}")
    run = run_on(app, ahead=1, keep=1)
    thread = threading.Thread(target=run.execute)
    thread.start()
    waits = f"Detaching {TABLE}_2001 waits for the transaction of pid {reader}."
    assert wait_until(lambda: waits in run.context.told, LONG_S)
    app.admin(f"SET lock_timeout = 1; SELECT * FROM {TABLE}")
    app.admin(f"SET lock_timeout = 1; INSERT INTO {TABLE} (id, note) VALUES (2, 'b')")
    app.stack.close()
    thread.join(LONG_S)
    assert f"{TABLE}_2001" not in attached(app)


def test_a_partition_that_was_left_half_detached_is_detached_to_the_end(
    app: AppDatabaseOfTests,
) -> None:
    attach(app, f"{TABLE}_2001", of_year(2001))
    app.idle(statement=f"SELECT * FROM {TABLE}")
    pid = app.running(f"ALTER TABLE {TABLE} DETACH PARTITION {TABLE}_2001 CONCURRENTLY")
    pending = "SELECT 1 FROM pg_inherits WHERE inhdetachpending"
    assert wait_until(lambda: bool(app.admin(pending)), LONG_S)
    app.admin(f"SELECT pg_cancel_backend({pid})")
    assert wait_until(lambda: app.state(pid) == "idle", LONG_S)
    app.stack.close()
    run_on(app, ahead=1, keep=1).execute()
    assert f"{TABLE}_2001" not in attached(app)
    assert app.admin(f"SELECT count(*) FROM {TABLE}_2001") == [(0,)]


def test_a_default_partition_holds_what_would_detach(app: AppDatabaseOfTests) -> None:
    with_default(app)
    attach(app, f"{TABLE}_2001", of_year(2001))
    found = held(app, keep=1)
    assert (found.guard, "Take `keep` out of the rule" in found.reason) == (
        "default_partition",
        True,
    )


@pytest.mark.parametrize(
    ("statement", "changes", "guard", "sentence"),
    [
        (
            "CREATE TABLE plain (begun date)",
            {"table": "plain"},
            "not_partitioned",
            "no ALTER makes it so",
        ),
        (
            "CREATE TABLE l (begun date) PARTITION BY LIST (begun)",
            {"table": "l"},
            "other_key",
            "partitioned by lists or hashes of begun",
        ),
        (
            "CREATE TABLE two (begun date, id int) PARTITION BY RANGE (begun, id)",
            {"table": "two"},
            "other_key",
            "by ranges of begun, id, not by ranges of begun alone",
        ),
        (
            "CREATE TABLE e (begun timestamp) PARTITION BY RANGE ((begun::date))",
            {"table": "e"},
            "other_key",
            "by ranges of an expression, not",
        ),
        (
            "CREATE TABLE n (begun int) PARTITION BY RANGE (begun)",
            {"table": "n"},
            "other_key",
            "begun, which is integer and no time",
        ),
        ("SELECT 1", {"column": "began"}, "unknown_column", "Close to it: begun."),
    ],
)
def test_a_table_that_does_not_suit_is_held_with_the_reason(
    app: AppDatabaseOfTests, statement: str, changes: dict[str, Any], guard: str, sentence: str
) -> None:
    with app.connect("quiz_app") as owner:
        owner.execute(statement)
    found = held(app, **changes)
    assert found.guard == guard
    assert sentence in found.reason


def test_an_owner_that_may_make_no_tables_holds_it_with_what_to_grant(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("REVOKE CREATE ON SCHEMA public FROM quiz_app")
    found = held(app)
    assert (found.guard, "GRANT CREATE ON SCHEMA public TO quiz_app;" in found.reason) == (
        "rights",
        True,
    )


def test_a_partition_of_another_length_in_the_way_is_named(app: AppDatabaseOfTests) -> None:
    attach(app, "half", f"FOR VALUES FROM ('{year(1)}-01-01+00') TO ('{year(1)}-07-01+00')")
    found = held(app)
    assert found.guard == "overlap"
    assert f"Partition half of public.{TABLE} goes from {year(1)}-01-01 00:00:00 to" in found.reason


def test_a_partition_that_covers_more_is_enough(app: AppDatabaseOfTests) -> None:
    attach(app, "everything", f"FOR VALUES FROM (MINVALUE) TO ('{year(1)}-01-01+00')")
    attach(app, "the_rest", f"FOR VALUES FROM ('{year(1)}-01-01+00') TO (MAXVALUE)")
    assert held(app, by="month").guard == "already_there"


def test_a_name_that_is_taken_is_left_alone(app: AppDatabaseOfTests) -> None:
    app.admin(f"CREATE VIEW {TABLE}_{year(1)} AS SELECT 1")
    assert held(app).guard == "name_taken"


def test_a_name_that_is_taken_after_the_plan_is_left_alone(app: AppDatabaseOfTests) -> None:
    run = run_on(app, ahead=1)
    app.admin(f"CREATE TABLE {TABLE}_{year(1)} (a int)")
    with pytest.raises(TargetChanged, match="Somebody has made another"):
        run.execute()
    assert attached(app).keys() == {f"{TABLE}_{year()}"}
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert said == f"These partitions are there: {TABLE}_{year()}."


def test_a_partition_that_is_detached_before_the_verification_fails_it(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app, ahead=1)
    run.execute()
    app.admin(f"ALTER TABLE {TABLE} DETACH PARTITION {TABLE}_{year(1)}")
    del run.records["verify_partitions"]
    with pytest.raises(StepFailed, match=f"missing: {TABLE}_{year(1)}"):
        run.execute()


def test_a_new_year_asks_for_the_next_partition() -> None:
    periods = wanted_periods(given(ahead=1), "2026-12-31")
    later = wanted_periods(given(ahead=1), "2027-01-01")
    assert [each.name for each in periods] == [f"{TABLE}_2026", f"{TABLE}_2027"]
    assert [each.name for each in later] == [f"{TABLE}_2027", f"{TABLE}_2028"]


STEPS = ("announce", "add_partitions", "detach_partitions", "verify_partitions")


@pytest.mark.spread(
    "done:add_partitions",
    "recorded:add_partitions",
    "done:detach_partitions",
    "recorded:detach_partitions",
)
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_run_that_dies_anywhere_comes_to_the_same_partitions(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    attach(app, f"{TABLE}_2001", of_year(2001))
    attach(app, f"{TABLE}_2002", of_year(2002))
    request = replace(asked(keep=1), origin=Origin(PERSON, "anna", "a new year comes"))
    ended, _ = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended is not None
    assert ended.status == "succeeded"
    assert attached(app) == {f"{TABLE}_{year(at)}": bound(year(at)) for at in range(3)}


class Dies(Exception):  # noqa: N818 - a process that ends is no error
    """Where a process ends."""


@pytest.mark.parametrize("call", ["exclude", "prove_excluded", "add_partition"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_execution_that_dies_around_any_write_is_gone_on_with(
    app: AppDatabaseOfTests, monkeypatch: pytest.MonkeyPatch, call: str, when: str
) -> None:
    with_default(app)
    run = run_on(app, ahead=2)
    write = getattr(PostgresDatabase, call)

    def dying(self: PostgresDatabase, new: WantedPartition) -> Any:
        if when == "after":
            running = write(self, new)
            assert running is None or wait_until(running.done, LONG_S)
        raise Dies

    with monkeypatch.context() as patched:
        patched.setattr(PostgresDatabase, call, dying)
        with pytest.raises(Dies):
            run.execute()
    run.execute()
    assert attached(app).keys() == {
        f"{TABLE}_rest",
        *(f"{TABLE}_{year(at)}" for at in range(3)),
    }
    assert app.admin(CONSTRAINTS) == []
