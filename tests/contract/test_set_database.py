"""Settings of a real PostgreSQL: written, read anew, put back, and held where they do harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_database.settings import UNSET, setting_values
from service.catalogue.app_database.target import ALLOWED, AppDatabaseTarget
from service.catalogue.registry import checked_options, kind_spec
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from service.domain.errors import FailureKind, TargetChanged, VendorError
from service.providers.postgresql import PostgresDatabase
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import AppDatabaseOfTests, FastClock, app_database, walsender
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer, postgres_server

SMALL = {"work_mem": "8MB"}
SERVER = replace(APP_DATABASE, memory="4GB", restart=ALLOWED)
PARAMETERS = "work_mem, maintenance_work_mem, effective_cache_size, shared_buffers, max_connections"
GRANTS = (
    f"GRANT ALTER SYSTEM ON PARAMETER {PARAMETERS} TO runbookd_ops",
    "GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_show_all_file_settings() TO runbookd_ops",
    "GRANT SELECT ON pg_file_settings TO runbookd_ops",
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of their own, because settings are the whole server's."""
    with postgres_server() as running:
        yield running


@pytest.fixture
def app(server: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(server) as made:
        for statement in GRANTS:
            made.admin(statement)
        yield made
        for name in PARAMETERS.split(", "):
            made.admin(f"ALTER SYSTEM RESET {name}")
        made.admin("SELECT pg_reload_conf()")


def asked(options: dict[str, Any] = SMALL, target: AppDatabaseTarget = SERVER) -> Request:
    return request_for("set_database", target, options=checked_options("set_database", options))


def undo_of(run: FakeRun) -> Request:
    """What a person's undo asks for."""
    changed = kind_spec("app_database").changed(run.plan)
    return replace(
        run.request,
        origin=Origin(PERSON, "anna", "undo"),
        wanted=tuple(Wanted(name, to=was) for name, (was, _) in changed.items()),
        expects=tuple(Wanted(name, to=is_now) for name, (_, is_now) in changed.items()),
        parent=run.request.id,
    )


def plan_of(app: AppDatabaseOfTests, request: Request) -> Plan | PlanHeld:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    return works.plan(request)


def held(app: AppDatabaseOfTests, request: Request) -> PlanHeld:
    found = plan_of(app, request)
    assert isinstance(found, PlanHeld), found
    return found


def run_on(app: AppDatabaseOfTests, request: Request) -> FakeRun:
    clock, database = FastClock(), PostgresDatabase(url=app.url())
    return planned(works_on(clock, app_database=database, timings=TIMINGS), request, clock)


def shown(app: AppDatabaseOfTests, name: str) -> str:
    """What a new session works by."""
    ((value,),) = app.admin(f"SHOW {name}")
    return str(value)


def written(app: AppDatabaseOfTests) -> dict[str, str]:
    """What the server's own file has."""
    return dict(
        app.admin(
            "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf' "
            "AND name <> 'fsync'"
        )
    )


def test_a_setting_is_written_and_new_sessions_work_by_it(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked())
    assert (run.plan.what, run.plan.before, run.plan.after) == (
        "setting work_mem",
        "unset",
        "8MB",
    )
    assert run.execute()["verify_settings"] == {"now": {"work_mem": "8MB"}, "pending": []}
    assert shown(app, "work_mem") == "8MB"


def test_the_undo_takes_out_what_was_unset_and_puts_back_what_was_set(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("ALTER SYSTEM SET maintenance_work_mem = '96 MB'")
    app.admin("SELECT pg_reload_conf()")
    run = run_on(app, asked({"work_mem": "8MB", "maintenance_work_mem": "128MB"}))
    run.execute()
    assert written(app) == {"work_mem": "8MB", "maintenance_work_mem": "128MB"}
    run_on(app, undo_of(run)).execute()
    assert written(app) == {"maintenance_work_mem": "96 MB"}
    assert (shown(app, "work_mem"), shown(app, "maintenance_work_mem")) == ("4MB", "96MB")


def test_an_undo_leaves_what_a_person_has_set_since(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked({"work_mem": "8MB", "maintenance_work_mem": "128MB"}))
    run.execute()
    app.admin("ALTER SYSTEM SET work_mem = '12MB'")
    back = run_on(app, undo_of(run))
    assert "a person changed it since: work_mem 12MB." in back.plan.downtime
    back.execute()
    assert written(app) == {"work_mem": "12MB"}
    app.admin("ALTER SYSTEM SET maintenance_work_mem = '1GB'")
    assert held(app, undo_of(run)).guard == "changed_by_a_person"


def test_a_setting_that_waits_for_a_restart_is_verified_as_waiting_and_told(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app, asked({"max_connections": 120}))
    assert "max_connections takes effect when the server next starts" in run.plan.downtime
    assert run.execute()["verify_settings"]["pending"] == ["max_connections"]
    assert run.context.told == ["max_connections takes effect when the server next starts."]
    run_on(app, undo_of(run)).execute()
    assert written(app) == {}


def test_a_setting_that_needs_a_restart_is_held_where_the_target_says_never(
    app: AppDatabaseOfTests,
) -> None:
    """The server's own word counts, whatever the check knew."""
    found = held(app, asked({"max_connections": 120}, replace(SERVER, restart="never")))
    assert (found.guard, "restart: never" in found.reason) == ("restart", True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shared_buffers": "2GB"}, "shared_buffers 2GB is more than 40% of the server's 4GB."),
        ({"work_mem": "32MB"}, "work_mem 32MB × max_connections 100 is more than 50%"),
        (
            {"work_mem": "16MB", "max_connections": 200},
            "work_mem 16MB × max_connections 200 is more than 50% of the server's 4GB",
        ),
    ],
)
def test_more_than_the_memory_takes_is_held_also_with_what_the_server_has(
    app: AppDatabaseOfTests, options: dict[str, Any], sentence: str
) -> None:
    found = held(app, asked(options))
    assert found.guard == "memory"
    assert sentence in found.reason


def test_a_value_that_a_role_has_of_its_own_is_held_because_nothing_would_come_of_it(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("ALTER ROLE runbookd_ops SET work_mem = '5MB'")
    found = held(app, asked())
    app.admin("ALTER ROLE runbookd_ops RESET work_mem")
    assert (found.guard, "work_mem (by its user)" in found.reason) == ("overridden", True)


def test_a_value_that_postgresql_does_not_take_is_held(app: AppDatabaseOfTests) -> None:
    assert held(app, asked({"work_mem": "9TB"}, replace(SERVER, memory=""))).guard == "out_of_range"


def test_settings_that_runbookd_may_not_see_are_not_taken_for_unset() -> None:
    """Else a right that was taken away would look like a person who has reset them."""
    seen = {"settings": {"work_mem": {"set": ""}}, "may_look": True}
    assert setting_values(seen) == {"work_mem": UNSET}
    assert setting_values({**seen, "may_look": False}) == {}


def test_a_role_without_the_rights_is_told_what_to_grant(app: AppDatabaseOfTests) -> None:
    app.admin("REVOKE ALTER SYSTEM ON PARAMETER work_mem FROM runbookd_ops")
    found = held(app, asked())
    assert found.guard == "rights"
    assert "GRANT ALTER SYSTEM ON PARAMETER work_mem TO runbookd_ops;" in found.reason
    assert "as at Supabase" in found.reason


def test_more_connections_are_held_while_a_replica_is_attached(app: AppDatabaseOfTests) -> None:
    streaming = walsender(app)
    try:
        found = held(app, asked({"max_connections": 120}))
        assert found.guard == "replicas_first"
        assert "on each replica first: ALTER SYSTEM SET max_connections = 120;" in found.reason
        fewer = plan_of(app, asked({"max_connections": 90}))
        assert isinstance(fewer, Plan), "less comes here first"
        assert isinstance(plan_of(app, asked()), Plan), "work_mem is each server's own"
    finally:
        streaming.finish()
    assert isinstance(plan_of(app, asked({"max_connections": 120})), Plan)


def test_what_a_person_sets_after_the_plan_is_left(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked({"work_mem": "8MB", "maintenance_work_mem": "128MB"}))
    app.admin("ALTER SYSTEM SET maintenance_work_mem = '1GB'")
    with pytest.raises(TargetChanged, match="maintenance_work_mem 1GB since the plan"):
        run.execute()
    assert written(app) == {"maintenance_work_mem": "1GB"}
    assert run.context.intents == {}


class RefusesTheSecond(PostgresDatabase):
    """Takes one setting, and refuses the next."""

    def alter_system(self, name: str, value: str | None) -> None:
        if name == "work_mem":
            super().alter_system(name, value)
            return
        raise VendorError("postgresql", f"set {name}", FailureKind.PERMANENT, "refused.")


def test_a_run_whose_second_setting_is_refused_says_that_it_has_written_the_first(
    app: AppDatabaseOfTests,
) -> None:
    clock, database = FastClock(), RefusesTheSecond(url=app.url())
    works = works_on(clock, app_database=database, timings=TIMINGS)
    run = planned(works, asked({"work_mem": "8MB", "maintenance_work_mem": "128MB"}), clock)
    with pytest.raises(VendorError):
        run.execute()
    assert list(run.context.intents) == ["set_work_mem"]
    left = works.make_safe(run.context, run.request, run.plan)
    assert "work_mem is set to 8MB, and the server works by 4MB." in left
    assert "maintenance_work_mem is not set by ALTER SYSTEM" in left


STEPS = ("prepare", "set_settings", "verify_settings", "conclude")


@pytest.mark.spread("done:set_settings", "recorded:set_settings")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_run_that_dies_anywhere_leaves_the_setting_as_it_was_wanted(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    request = replace(asked(), origin=Origin(PERSON, "anna", "sorting is slow"))
    ended, known = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended is not None
    assert ended.status == "succeeded"
    assert (shown(app, "work_mem"), known) == ("8MB", {"work_mem": "8MB"})
