"""Feature flags in a table of a real PostgreSQL: set, put back, and left where a person was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from service.catalogue.app_database.target import AppDatabaseTarget
from service.catalogue.registry import checked_options, kind_spec
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, RETURN, Origin, Request, Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.engine.outcomes import changed_since
from service.providers.postgresql import PostgresDatabase
from tests.app_database_runs import TIMINGS, boundaries, dies_and_goes_on
from tests.app_databases import AppDatabaseOfTests, FastClock, app_database
from tests.databases import Databases
from tests.fakes.runs import APP_DATABASE, FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer

HINTS = "quiz_hints_for_new_players"
FLAGS = replace(
    APP_DATABASE,
    flag_table="feature_flags",
    flag_key="key",
    flag_value="enabled",
    flag_names=("advanced_analytics", "ai_recommendations", HINTS),
)
EMERGENCY = {"disable": ["advanced_analytics", "ai_recommendations"]}
GRANT = "GRANT SELECT (key, enabled), UPDATE (enabled) ON feature_flags TO runbookd_ops"


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        made.admin("CREATE TABLE feature_flags (key text, enabled bool, note text)")
        made.admin(
            "INSERT INTO feature_flags VALUES ('advanced_analytics', true), "
            "('ai_recommendations', true), ('quiz_hints_for_new_players', true), ('search', true)"
        )
        made.admin(GRANT)
        yield made


def values(app: AppDatabaseOfTests) -> dict[str, bool]:
    return dict(app.admin("SELECT key, enabled FROM feature_flags"))


def off(*names: str) -> dict[str, bool]:
    """All flags of the table, with these switched off."""
    known = ("advanced_analytics", "ai_recommendations", HINTS, "search")
    return {name: name not in names for name in known}


def asked(
    options: dict[str, Any] = EMERGENCY, target: AppDatabaseTarget = FLAGS, **changes: Any
) -> Request:
    return request_for(
        "set_flags", target, options=checked_options("set_flags", options), **changes
    )


def undo_of(run: FakeRun) -> Request:
    """What a person's undo asks for."""
    changed = kind_spec("app_database").changed(run.plan)
    return replace(
        asked({}),
        origin=Origin(PERSON, "anna", "undo"),
        wanted=tuple(Wanted(name, to=was) for name, (was, _) in changed.items()),
        expects=tuple(Wanted(name, to=is_now) for name, (_, is_now) in changed.items()),
        parent=run.request.id,
    )


def plan_of(app: AppDatabaseOfTests, request: Request) -> Plan | PlanHeld:
    works = works_on(FastClock(), app_database=PostgresDatabase(url=app.url()))
    plan = works.plan(request)
    held = changed_since(request, plan) if isinstance(plan, Plan) else None
    return held or plan


def run_on(app: AppDatabaseOfTests, request: Request) -> FakeRun:
    clock, database = FastClock(), PostgresDatabase(url=app.url())
    return planned(works_on(clock, app_database=database, timings=TIMINGS), request, clock)


def test_the_flags_of_the_rule_are_switched_off_and_no_other(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked())
    assert run.plan.before == "advanced_analytics on, ai_recommendations on"
    assert run.plan.after == "advanced_analytics off, ai_recommendations off"
    records = run.execute()
    assert records["verify_flags"] == {
        "flags": {"advanced_analytics": False, "ai_recommendations": False}
    }
    assert values(app) == off(*EMERGENCY["disable"])


def test_the_old_values_are_recorded_and_the_undo_puts_them_back(app: AppDatabaseOfTests) -> None:
    app.admin("UPDATE feature_flags SET enabled = false WHERE key = 'ai_recommendations'")
    run = run_on(app, asked())
    assert run.plan.wanted["was"] == {"advanced_analytics": True}, "the other one was off already"
    run.execute()
    back = run_on(app, undo_of(run))
    assert (back.plan.what, back.plan.before, back.plan.after) == (
        "flag advanced_analytics",
        "off",
        "on",
    )
    back.execute()
    assert values(app) == off("ai_recommendations")


def test_an_undo_leaves_the_flag_that_a_person_changed_and_puts_the_others_back(
    app: AppDatabaseOfTests,
) -> None:
    app.admin("UPDATE feature_flags SET enabled = false WHERE key = 'ai_recommendations'")
    run = run_on(app, asked({"disable": ["advanced_analytics"], "enable": ["ai_recommendations"]}))
    run.execute()
    undo = undo_of(run)
    app.admin("UPDATE feature_flags SET enabled = false WHERE key = 'ai_recommendations'")
    plan = plan_of(app, undo)
    assert isinstance(plan, Plan)
    assert plan.wanted["to"] == {"advanced_analytics": True}
    assert "because a person changed it since: ai_recommendations off." in plan.downtime


def test_an_undo_of_which_a_person_has_changed_everything_is_held(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked({"disable": ["ai_recommendations"]}))
    run.execute()
    app.admin("UPDATE feature_flags SET enabled = true")
    held = plan_of(app, undo_of(run))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.by_person) == ("changed_by_a_person", True)
    assert "somebody changed ai_recommendations since. Left as it is: on." in held.reason


def test_a_return_switches_a_flag_back_in_calm(app: AppDatabaseOfTests) -> None:
    run_on(app, asked()).execute()
    back = replace(
        asked(),
        origin=Origin(RETURN, "a-rule", "it is calm"),
        wanted=(Wanted("flag ai_recommendations", by=-1),),
        expects=(Wanted("flag ai_recommendations", to="off"),),
    )
    run_on(app, back).execute()
    assert values(app) == off("advanced_analytics")


def test_a_flag_whose_name_is_long_is_put_back_too(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked({"disable": [HINTS]}))
    run.execute()
    (attribute,) = kind_spec("app_database").changed(run.plan)
    assert len(attribute) == 24
    run_on(app, undo_of(run)).execute()
    assert values(app) == off()


def test_flags_that_are_as_they_are_wanted_are_not_set_again(app: AppDatabaseOfTests) -> None:
    run_on(app, asked()).execute()
    held = plan_of(app, asked())
    assert isinstance(held, PlanHeld)
    assert held.guard == "already_there"


@pytest.mark.parametrize(
    ("statement", "guard", "sentence"),
    [
        (
            "ALTER TABLE feature_flags RENAME TO features_flags",
            "unknown_table",
            "no table feature_flags. Close to it: public.features_flags.",
        ),
        (
            "ALTER TABLE feature_flags RENAME enabled TO is_enabled",
            "unknown_column",
            "has no column enabled. Close to it: is_enabled.",
        ),
        (
            "ALTER TABLE feature_flags ALTER enabled TYPE text",
            "not_boolean",
            "Column enabled of public.feature_flags is of type text",
        ),
        (
            "DELETE FROM feature_flags WHERE key = 'ai_recommendations'",
            "unknown_flag",
            "has no row for flag ai_recommendations",
        ),
        (
            "INSERT INTO feature_flags VALUES ('ai_recommendations', false)",
            "several_rows",
            "has 2 rows for flag ai_recommendations",
        ),
        (
            "UPDATE feature_flags SET enabled = NULL WHERE key = 'ai_recommendations'",
            "no_value",
            "flag ai_recommendations is null",
        ),
        (
            "REVOKE UPDATE (enabled) ON feature_flags FROM runbookd_ops",
            "rights",
            "SELECT (key, enabled), UPDATE (enabled) ON public.feature_flags TO runbookd_ops;",
        ),
    ],
)
def test_a_table_that_is_not_as_the_target_says_is_left_and_told(
    app: AppDatabaseOfTests, statement: str, guard: str, sentence: str
) -> None:
    app.admin(statement)
    held = plan_of(app, asked())
    assert isinstance(held, PlanHeld), held
    assert held.guard == guard
    assert sentence in held.reason


def test_the_least_rights_are_enough_and_more_than_flags_cannot_be_written(
    app: AppDatabaseOfTests,
) -> None:
    run_on(app, asked()).execute()
    ours = psycopg.connect(app.url(), autocommit=True)
    with ours, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ours.execute("UPDATE feature_flags SET note = 'a'")


def test_names_of_the_target_are_names_whatever_they_hold(app: AppDatabaseOfTests) -> None:
    hostile = "x'; DROP TABLE feature_flags; --"
    app.admin('CREATE TABLE "Flags; --" ("the ""key" text, "on?" bool)')
    app.admin("INSERT INTO \"Flags; --\" VALUES ('x''; DROP TABLE feature_flags; --', true)")
    app.admin('GRANT ALL ON "Flags; --" TO runbookd_ops')
    target = replace(
        FLAGS,
        flag_table="Flags; --",
        flag_key='the "key',
        flag_value="on?",
        flag_names=(hostile,),
    )
    run_on(app, asked({"disable": [hostile]}, target)).execute()
    assert app.admin('SELECT "on?" FROM "Flags; --"') == [(False,)]
    assert len(values(app)) == 4


def test_a_flag_that_a_person_sets_after_the_plan_keeps_all_of_them_as_they_are(
    app: AppDatabaseOfTests,
) -> None:
    run = run_on(app, asked())
    app.admin("UPDATE feature_flags SET enabled = false WHERE key = 'advanced_analytics'")
    with pytest.raises(TargetChanged, match=r"advanced_analytics off, ai_recommendations on"):
        run.execute()
    assert values(app) == off("advanced_analytics")
    assert run.context.intents == {}, "it has written nothing, and plans anew"


def test_a_change_between_the_look_and_the_write_sets_none(app: AppDatabaseOfTests) -> None:
    run = run_on(app, asked())

    def meanwhile() -> None:
        app.admin("UPDATE feature_flags SET enabled = false WHERE key = 'advanced_analytics'")

    run.context = run.fresh()
    run.context.on_fence = meanwhile
    with pytest.raises(TargetChanged):
        run.step("set_flags")
    assert values(app) == off("advanced_analytics")


def test_a_trigger_that_sets_them_otherwise_is_no_success(app: AppDatabaseOfTests) -> None:
    app.admin(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.enabled := true; RETURN NEW; END'"
    )
    app.admin(
        "CREATE TRIGGER keep BEFORE UPDATE ON feature_flags FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    run = run_on(app, asked())
    with pytest.raises(StepFailed, match="the table has advanced_analytics on"):
        run.execute()


class LosesAnswers(PostgresDatabase):
    """Sets the flags, and the answer is lost."""

    sent = 0

    def set_flags(self, *arguments: Any) -> bool:
        super().set_flags(*arguments)
        self.sent += 1
        raise VendorError("postgresql", "set flags", FailureKind.UNKNOWN, "no answer.")


def test_a_write_whose_answer_was_lost_is_not_sent_again(app: AppDatabaseOfTests) -> None:
    clock, database = FastClock(), LosesAnswers(url=app.url())
    works = works_on(clock, app_database=database, timings=TIMINGS)
    run = planned(works, asked(), clock)
    run.execute()
    assert database.sent == 1
    assert values(app) == off(*EMERGENCY["disable"])


STEPS = ("prepare", "set_flags", "verify_flags", "conclude")
"""Announce and report write nothing here; other actions' tests die at them too."""


@pytest.mark.spread("done:set_flags", "recorded:set_flags", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_run_that_dies_anywhere_sets_the_flags_once(
    app: AppDatabaseOfTests, databases: Databases, boundary: str
) -> None:
    before = dict(app.admin("SELECT key, xmin::text FROM feature_flags"))
    request = replace(asked(), origin=Origin(PERSON, "anna", "an emergency"))
    ended, known = dies_and_goes_on(databases, request, boundary, app.url())
    assert ended is not None
    assert ended.status == "succeeded"
    assert values(app) == off(*EMERGENCY["disable"])
    written = dict(app.admin("SELECT key, xmin::text FROM feature_flags"))
    assert {name for name in written if written[name] != before[name]} == {*EMERGENCY["disable"]}
    assert len({written[name] for name in EMERGENCY["disable"]}) == 1, "one transaction"
    assert known == {"flag advanced_analytics": "off", "flag ai_recommendations": "off"}
