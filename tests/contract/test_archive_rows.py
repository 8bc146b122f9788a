"""Old rows of a real PostgreSQL move to another table: each once, whoever dies in between."""

# ruff: noqa: S608 - the statements are made of names of this file
from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest

from service.catalogue.registry import checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.app_database import Batch
from service.providers.postgresql import PostgresDatabase
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import (
    LONG_S,
    OURS,
    AppDatabaseOfTests,
    FastClock,
    app_database,
    walsender,
)
from tests.contract.archiving import batch
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer
from tests.processes import ROOT, wait_until

OLD, NEW = 300, 100
TABLE, ARCHIVE = "user_sessions", "archived_user_sessions"
OPTIONS = {"table": TABLE, "column": "created_at", "batch": 40, "over": None}


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    """300 rows that are older than 90 days, and 100 that are not."""
    with app_database(postgres) as made:
        made.admin(
            f"CREATE TABLE {TABLE} (id int PRIMARY KEY, created_at timestamptz NOT NULL, what text)"
        )
        made.admin(f"ALTER TABLE {TABLE} OWNER TO quiz_app")
        made.admin(f"GRANT quiz_app TO {OURS}")
        made.admin(
            f"INSERT INTO {TABLE} SELECT n, now() - make_interval(days => 91), 'old ' || n "
            f"FROM generate_series(1, {OLD}) n"
        )
        made.admin(
            f"INSERT INTO {TABLE} SELECT n, now() - make_interval(days => 89), 'new ' || n "
            f"FROM generate_series({OLD + 1}, {OLD + NEW}) n"
        )
        made.admin(f"CREATE INDEX by_age ON {TABLE} (created_at)")
        made.admin(f"ANALYZE {TABLE}")
        yield made


def asked(**changes: Any) -> Request:
    options = checked_options("archive_rows", {**OPTIONS, **changes})
    return request_for("archive_rows", APP_DATABASE, options=options)


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


def ids(app: AppDatabaseOfTests, table: str) -> list[int]:
    """The ids in a table, in order, as often as they are there."""
    return [row[0] for row in app.admin(f"SELECT id FROM {table} ORDER BY id")]


def test_old_rows_move_whole_and_in_batches_and_new_ones_stay(app: AppDatabaseOfTests) -> None:
    run = run_on(app)
    assert (run.plan.what, run.plan.after) == (
        f"rows of public.{TABLE} older than 90d",
        f"in public.{ARCHIVE}",
    )
    records = run.execute()
    assert records["move_rows"] == {"rows": OLD, "batches": 8}
    assert records["make_archive"] == {"made": True}
    assert records["verify_archive"]["moved"] == OLD
    assert ids(app, ARCHIVE) == list(range(1, OLD + 1))
    assert ids(app, TABLE) == list(range(OLD + 1, OLD + NEW + 1))
    whole = app.admin(f"SELECT count(*) FROM {ARCHIVE} WHERE what = 'old ' || id")
    assert whole == [(OLD,)]
    ((vacuumed,),) = app.admin(
        f"SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = '{TABLE}'"
    )
    assert vacuumed


def test_the_cut_off_of_the_plan_stays_though_rows_become_old_meanwhile(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app)
    cutoff = run.plan.wanted["archive"]["cutoff"]
    app.admin(
        f"INSERT INTO {TABLE} VALUES (9001, '{cutoff}'::timestamptz, 'at the cut-off'), "
        f"(9002, '{cutoff}'::timestamptz - interval '1 microsecond', 'just before')"
    )
    run.execute()
    assert 9001 in ids(app, TABLE)
    assert 9002 in ids(app, ARCHIVE)


@contextmanager
def rows_cross_the_boundary(app: AppDatabaseOfTests) -> Iterator[list[int]]:
    """Rows are added around the cut-off, one after the other, until the block ends; their ids."""
    added: list[int] = []
    over = threading.Event()

    def add() -> None:
        with psycopg.connect(app.admin_url, autocommit=True) as connection:
            number = 10_000
            while not over.is_set():
                number += 1
                shift = number % 7 - 3
                connection.execute(
                    f"INSERT INTO {TABLE} VALUES ({number}, now() - interval '90 days' "
                    f"+ interval '{shift} seconds', 'crosses')"
                )
                added.append(number)

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    try:
        assert wait_until(lambda: len(added) > 10, LONG_S)
        yield added
    finally:
        over.set()
        thread.join(LONG_S)


@pytest.mark.spread("done:make_archive", "done:move_rows", "recorded:move_rows")
@pytest.mark.parametrize(
    "boundary",
    boundaries("announce", "make_archive", "move_rows", "vacuum", "verify_archive", "conclude"),
)
def test_a_run_that_dies_anywhere_while_rows_cross_the_boundary_loses_and_doubles_none(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    request = replace(asked(), origin=Origin(PERSON, "olga", "the disk"))
    with rows_cross_the_boundary(app) as added:
        ended = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended.run is not None
    assert ended.run.status == "succeeded"
    everything = sorted([*ids(app, TABLE), *ids(app, ARCHIVE)])
    assert everything == sorted([*range(1, OLD + NEW + 1), *added])
    assert set(range(1, OLD + 1)) <= set(ids(app, ARCHIVE))


def has_moved(app: AppDatabaseOfTests, rows: int) -> bool:
    return len(ids(app, ARCHIVE)) >= rows


def test_a_process_that_is_killed_again_and_again_in_its_batches_loses_and_doubles_none(
    app: AppDatabaseOfTests,
) -> None:
    PostgresDatabase(url=app.url()).make_archive("public", TABLE, ARCHIVE)
    ((cutoff,),) = app.admin("SELECT (now() - interval '90 days')::text")
    with rows_cross_the_boundary(app) as added:
        for kill in range(1, 4):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.archiving", app.url(), cutoff], cwd=ROOT
            )
            try:
                assert wait_until(partial(has_moved, app, kill * 60), LONG_S)
            finally:
                process.kill()
                process.wait(LONG_S)
    database = PostgresDatabase(url=app.url())
    while database.archive_batch(batch(cutoff)):
        pass
    everything = sorted([*ids(app, TABLE), *ids(app, ARCHIVE)])
    assert everything == sorted([*range(1, OLD + NEW + 1), *added])


class Faltering(PostgresDatabase):
    """A database whose every third batch is done and not answered, and whose replica is behind at
    first."""

    calls = 0
    lags: tuple[float, ...] = (45.0, 31.0)

    def archive_batch(self, batch: Batch) -> int:
        self.calls += 1
        moved = super().archive_batch(batch)
        if self.calls % 3 == 0:
            raise VendorError("postgresql", "move rows", FailureKind.UNKNOWN, "no answer came")
        return moved

    def replica_lag_s(self) -> float:
        lag, self.lags = (self.lags[0], self.lags[1:]) if self.lags else (0.0, ())
        assert self.calls == 0 or lag == 0.0
        return lag


def test_a_batch_whose_answer_was_lost_is_not_done_twice_and_a_slow_replica_is_waited_for(
    app: AppDatabaseOfTests,
) -> None:
    clock, database = FastClock(), Faltering(url=app.url())
    works = works_on(clock, app_database=database, timings=TIMINGS)
    run = planned(works, asked(), clock)
    run.execute()
    assert database.calls > 8
    assert ids(app, ARCHIVE) == list(range(1, OLD + 1))
    assert "A replica is 45 s behind; archiving waits for it." in run.context.told


@pytest.fixture
def unseeing(app: AppDatabaseOfTests) -> Iterator[str]:
    """A role with the rights of the table's owner, and without pg_read_all_stats."""
    app.admin("CREATE ROLE unseeing LOGIN")
    app.admin("GRANT quiz_app TO unseeing")
    yield "unseeing"
    app.admin("REVOKE quiz_app FROM unseeing")
    app.admin("DROP OWNED BY unseeing")
    app.admin("DROP ROLE unseeing")


def test_while_a_replica_is_there_that_our_role_may_not_see_nothing_moves(
    app: AppDatabaseOfTests, unseeing: str
) -> None:
    clock = FastClock()
    database = PostgresDatabase(url=app.url(unseeing))
    works = works_on(clock, app_database=database, timings=TIMINGS)
    assert isinstance(works.plan(asked()), Plan), "without a replica there is nothing to see"
    run = planned(works, asked(), clock)
    replica = walsender(app)
    try:
        found = works.plan(asked())
        assert isinstance(found, PlanHeld)
        assert found.guard == "lag_unseen"
        assert f"GRANT pg_read_all_stats TO {unseeing};" in found.reason
        with pytest.raises(StepFailed, match="A replica has come while rows moved"):
            run.execute()
        assert ids(app, TABLE) == list(range(1, OLD + NEW + 1))
        forced = planned(works, asked(ignore_lag=True), clock)
        assert forced.execute()["move_rows"]["rows"] == OLD
    finally:
        replica.finish()


def test_a_role_that_may_see_replicas_is_not_held_by_one(app: AppDatabaseOfTests) -> None:
    replica = walsender(app)
    try:
        assert isinstance(plan_of(app), Plan)
    finally:
        replica.finish()


def test_a_child_that_would_be_deleted_too_holds_it_by_name(app: AppDatabaseOfTests) -> None:
    app.admin(f"CREATE TABLE answers (session int REFERENCES {TABLE} ON DELETE CASCADE)")
    found = held(app)
    assert found.guard == "children"
    assert "also deletes or changes rows of answers" in found.reason
    app.admin("DROP TABLE answers")
    app.admin(f"CREATE TABLE notes (session int REFERENCES {TABLE} ON DELETE SET NULL)")
    assert "rows of notes" in held(app).reason


def test_a_child_that_refuses_the_delete_fails_the_run_and_nothing_is_lost(
    app: AppDatabaseOfTests,
) -> None:
    app.admin(f"CREATE TABLE answers (session int REFERENCES {TABLE})")
    app.admin("INSERT INTO answers VALUES (1)")
    with pytest.raises(VendorError, match="violates foreign key constraint"):
        run_on(app).execute()
    assert len(ids(app, TABLE)) == OLD + NEW


def test_below_the_size_nothing_moves(app: AppDatabaseOfTests) -> None:
    found = held(app, over="5GB")
    assert found.guard == "small_enough"
    assert "rows are archived only above 5GB" in found.reason
    assert isinstance(plan_of(app, over="1MB"), Plan)


@pytest.mark.parametrize(
    ("changes", "guard", "said"),
    [
        ({"table": "user_session"}, "unknown_table", "Close to it: public.user_sessions"),
        ({"column": "create_at"}, "unknown_column", "Close to it: created_at"),
        ({"column": "what"}, "no_time", "of type text, so a row of it has no age"),
        ({"older_than": "365d"}, "already_there", "has no row whose created_at is before"),
    ],
)
def test_what_cannot_move_is_held_with_the_reason(
    app: AppDatabaseOfTests, changes: dict[str, Any], guard: str, said: str
) -> None:
    found = held(app, **changes)
    assert found.guard == guard
    assert said in found.reason


def test_without_an_index_that_begins_with_the_column_nothing_moves(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("DROP INDEX by_age")
    app.admin(f"CREATE INDEX other ON {TABLE} (what, created_at)")
    app.admin(f"CREATE INDEX part ON {TABLE} (created_at) WHERE id > 5")
    assert held(app).guard == "no_index"


def test_a_partitioned_table_is_held(app: AppDatabaseOfTests) -> None:
    app.admin("CREATE TABLE events (created_at timestamptz) PARTITION BY RANGE (created_at)")
    app.admin("ALTER TABLE events OWNER TO quiz_app")
    assert held(app, table="events").guard == "partitioned"


def test_an_archive_that_lacks_a_column_is_held_and_one_that_has_more_takes_the_rows(
    app: AppDatabaseOfTests,
) -> None:
    app.admin(f"CREATE TABLE {ARCHIVE} (id int, created_at timestamptz)")
    app.admin(f"ALTER TABLE {ARCHIVE} OWNER TO quiz_app")
    found = held(app)
    assert found.guard == "other_columns"
    assert "what text" in found.reason
    app.admin(f"ALTER TABLE {ARCHIVE} ADD COLUMN what int")
    assert held(app).guard == "other_columns"
    app.admin(f"ALTER TABLE {ARCHIVE} DROP COLUMN what, ADD COLUMN what text, ADD COLUMN extra int")
    run_on(app).execute()
    assert len(ids(app, ARCHIVE)) == OLD


def test_a_trigger_that_keeps_rows_out_of_the_archive_rolls_the_batch_back(
    app: AppDatabaseOfTests,
) -> None:
    database = PostgresDatabase(url=app.url())
    database.make_archive("public", TABLE, ARCHIVE)
    app.admin(
        "CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.id % 10 = 0 THEN RETURN NULL; END IF; RETURN NEW; END $$"
    )
    app.admin(f"CREATE TRIGGER t BEFORE INSERT ON {ARCHIVE} FOR EACH ROW EXECUTE FUNCTION drops()")
    with pytest.raises(VendorError, match="the batch was rolled back"):
        run_on(app).execute()
    assert len(ids(app, TABLE)) == OLD + NEW
    assert ids(app, ARCHIVE) == []


def test_a_locked_row_is_left_out_and_the_run_says_so(app: AppDatabaseOfTests) -> None:
    app.idle(statement=f"SELECT * FROM {TABLE} WHERE id = 5 FOR UPDATE")
    run = run_on(app)
    with pytest.raises(StepFailed, match="somebody has them locked"):
        run.execute()
    assert run.records["move_rows"]["rows"] == OLD - 1
    assert 5 in ids(app, TABLE)
    safe = run.works.by_kind["app_database"].make_safe(run.context, run.plan)
    assert "No row is lost and none is there twice" in safe


@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_a_column_without_a_zone_counts_as_utc(app: AppDatabaseOfTests, kind: str) -> None:
    app.admin(f"ALTER TABLE {TABLE} ALTER created_at TYPE {kind} USING created_at::{kind}")
    run_on(app).execute()
    assert len(ids(app, ARCHIVE)) == OLD


def test_names_are_quoted_whatever_they_are(app: AppDatabaseOfTests) -> None:
    app.admin('CREATE TABLE "Order" (id int, "when" date)')
    app.admin('ALTER TABLE "Order" OWNER TO quiz_app')
    app.admin('CREATE INDEX ON "Order" ("when")')
    app.admin("INSERT INTO \"Order\" VALUES (1, '2020-01-01')")
    run_on(app, table="Order", column="when", into="Old").execute()
    assert ids(app, '"Old"') == [1]


def test_only_types_that_are_known_stand_in_a_statement(app: AppDatabaseOfTests) -> None:
    wrong = Batch("public", TABLE, ARCHIVE, ("id",), "created_at", "date; DROP TABLE x", "2020", 1)
    with pytest.raises(KeyError):
        PostgresDatabase(url=app.url()).is_due(wrong)


def test_nobody_but_its_owner_reads_an_archive_whatever_the_schema_grants_on_new_tables(
    app: AppDatabaseOfTests,
) -> None:
    app.admin(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OURS} GRANT SELECT ON TABLES TO quiz_report")
    run_on(app).execute()
    with app.connect("quiz_report") as connection:
        assert connection.execute(f"SELECT count(*) FROM {ARCHIVE}").fetchone() == (0,)
    assert len(ids(app, ARCHIVE)) == OLD


def test_a_table_with_row_security_is_held_while_its_archive_has_none(
    app: AppDatabaseOfTests,
) -> None:
    app.admin(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    app.admin(f"CREATE TABLE {ARCHIVE} (LIKE {TABLE})")
    found = held(app)
    assert (found.guard, "ENABLE ROW LEVEL SECURITY" in found.reason) == ("exposed", True)


def test_a_trigger_that_a_delete_fires_holds_it_by_name(app: AppDatabaseOfTests) -> None:
    app.admin("CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'")
    app.admin(
        f"CREATE TRIGGER remove_files AFTER DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION also()"
    )
    found = held(app)
    assert (found.guard, "fires remove_files" in found.reason) == ("triggers", True)


def test_a_column_that_came_since_the_plan_fails_the_run_and_no_row_loses_its_value(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app)
    app.admin(f"ALTER TABLE {TABLE} ADD COLUMN score int DEFAULT 7")
    with pytest.raises(VendorError, match=r"have changed since the plan was made: score\."):
        run.execute()
    assert len(ids(app, TABLE)) == OLD + NEW


def test_rows_of_a_table_that_inherits_stay_where_they_are(app: AppDatabaseOfTests) -> None:
    app.admin(f"CREATE TABLE child (more text) INHERITS ({TABLE})")
    app.admin("INSERT INTO child VALUES (1, now(), 'young', 'kept'), (2, now(), 'young', 'kept')")
    run_on(app).execute()
    assert app.admin("SELECT count(*) FROM child WHERE more = 'kept'") == [(2,)]
    assert ids(app, ARCHIVE) == list(range(1, OLD + 1))


def test_an_archive_of_less_precision_is_held(app: AppDatabaseOfTests) -> None:
    app.admin(f"CREATE TABLE {ARCHIVE} (id int, created_at timestamptz(0), what text)")
    assert held(app).guard == "other_columns"
