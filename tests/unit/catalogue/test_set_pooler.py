from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.registry import kind_spec
from service.catalogue.supabase.plan import plan_project, project_is, project_values
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.faults import vendor_error
from tests.fakes.runs import DATABASE, FakeRun, planned, request_for, works_on

POOLED = SupabaseTarget(
    "database",
    "project-1",
    ("ci_micro", "ci_small"),
    pooler={"min": 5, "max": 400, "pools": 1, "reserved": 7},
)


def seen(size: int | str = 15, max_connections: int = 200, **changes: Any) -> dict[str, Any]:
    return {
        "project": "project-1",
        "variant": "ci_micro",
        "status": "ACTIVE_HEALTHY",
        "sizes": {},
        "pooler": {"size": size, "max_connections": max_connections},
        **changes,
    }


def plan(size: int, found: dict[str, Any], **options: Any) -> Plan | PlanHeld:
    request = request_for("set_pooler", POOLED, options={"pool_size": size, **options})
    return plan_project(request, found)


def test_a_pool_is_planned_with_its_price_and_what_it_leaves_of_the_connections() -> None:
    made = plan(40, seen())
    assert isinstance(made, Plan)
    assert (made.what, made.before, made.after) == ("pool_size", "15", "40")
    assert (made.price_before, made.price_after) == (10.0, 10.0)
    assert "47 of 157 that max_connections = 200 allows" in made.downtime


def test_a_pool_of_300_with_200_connections_is_refused_and_told_what_fits() -> None:
    held = plan(300, seen())
    assert isinstance(held, PlanHeld)
    assert held.guard == "connections"
    assert "307 do not fit in the 157 that max_connections = 200 allows" in held.reason
    assert "largest pool that fits is 150" in held.reason


@pytest.mark.parametrize(("size", "fits"), [(150, True), (151, False)])
def test_the_largest_pool_that_fits_is_the_one_that_is_told(size: int, fits: bool) -> None:
    assert isinstance(plan(size, seen()), Plan) is fits


def test_each_pair_of_role_and_database_has_a_pool_of_its_own() -> None:
    three = replace(POOLED, pooler={**POOLED.pooler, "pools": 3})
    request = request_for("set_pooler", three, options={"pool_size": 51})
    held = plan_project(request, seen())
    assert isinstance(held, PlanHeld)
    assert "3 × 51" in held.reason
    assert "largest pool that fits is 50" in held.reason


def test_fewer_connections_than_now_are_let_through_also_where_they_still_do_not_fit() -> None:
    """Else nobody could bring down a pool that is far too large."""
    assert isinstance(plan(200, seen(size=300), exact=True), Plan)


def test_an_alert_that_cannot_be_given_more_pages_and_a_person_is_only_told() -> None:
    alerts = plan(300, seen())
    persons = plan(300, seen(), exact=True)
    assert isinstance(alerts, PlanHeld)
    assert isinstance(persons, PlanHeld)
    assert (alerts.at_bound, persons.at_bound) == (True, False)


def test_an_alert_takes_nothing_from_a_pool_that_is_larger() -> None:
    held = plan(40, seen(size=60))
    assert isinstance(held, PlanHeld)
    assert held.guard == "already_there"


def test_a_size_that_the_vendor_chose_is_replaced_and_an_undo_gives_the_choice_back() -> None:
    made = plan(40, seen(size="default"))
    assert isinstance(made, Plan)
    kind = kind_spec("supabase")
    assert kind.changed(made) == {"pool_size": ("default", 40)}
    undo = request_for("set_pooler", POOLED, wanted=(Wanted("pool_size", to="default"),))
    back = plan_project(undo, seen(size=40))
    assert isinstance(back, Plan)
    assert (back.before, back.after) == ("40", "default")


def test_a_size_outside_the_targets_bounds_is_held_whoever_asks() -> None:
    held = plan(3, seen(), exact=True)
    assert isinstance(held, PlanHeld)
    assert held.guard == "bounds"


def test_a_project_that_does_not_serve_keeps_its_pooler() -> None:
    held = plan(40, seen(status="RESIZING"))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.retry_after_s) == ("project_status", 120.0)


def test_a_resize_changes_its_size_and_says_nothing_of_the_pool() -> None:
    resize = plan_project(request_for("scale_database", POOLED), seen())
    assert isinstance(resize, Plan)
    assert kind_spec("supabase").changed(resize) == {"size": ("ci_micro", "ci_small")}
    assert project_values(seen()) == {"size": "ci_micro", "pool_size": 15}
    assert project_is(seen(status="RESIZING")) == {
        "compute": "ci_micro",
        "pool_size": 15,
        "status": "RESIZING",
    }


# ---- The steps ----


def prepared(
    size: int = 40, target: SupabaseTarget = POOLED
) -> tuple[FakeClock, FakeDatabase, FakeRun]:
    clock = FakeClock()
    database = FakeDatabase(clock, connections=200)
    request = request_for("set_pooler", target, options={"pool_size": size})
    return clock, database, planned(works_on(clock, database=database), request, clock)


def test_the_pool_has_its_size_and_it_is_read_back() -> None:
    _, database, run = prepared()
    records = run.execute()
    assert database.pool == 40
    assert database.writes.effective == ["set_pool_size"]
    assert records["verify_pool_size"] == {"pool_size": 40}


def test_a_size_whose_answer_never_came_is_looked_up_and_not_sent_again() -> None:
    _, database, run = prepared()
    database.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert database.writes.effective == ["set_pool_size"]


def test_a_size_that_a_person_chose_meanwhile_is_not_overwritten() -> None:
    _, database, run = prepared()
    database.pool = 30
    with pytest.raises(TargetChanged, match="pool_size was 15 when this run looked and is 30 now"):
        run.execute()
    assert database.writes.sent == 0


def test_a_size_that_the_vendor_took_and_does_not_show_fails_with_what_it_shows() -> None:
    _, database, run = prepared()
    run.step("set_pool_size")
    database.pool = 15
    with pytest.raises(StepFailed, match=r"took pool size 40 .* it shows pool size 15"):
        run.step("verify_pool_size")


def test_a_pooler_that_does_not_answer_afterwards_fails_the_run() -> None:
    _, database, run = prepared()
    database.ill.add("pooler")
    with pytest.raises(StepFailed, match="pooler does not answer"):
        run.execute()


def test_an_unreadable_pooler_holds_its_own_action_and_no_other() -> None:
    clock = FakeClock()
    database = FakeDatabase(clock, mute=vendor_error(FailureKind.PERMANENT, "no right to it."))
    works = works_on(clock, database=database)
    held = works.plan(request_for("set_pooler", POOLED, options={"pool_size": 40}))
    assert isinstance(held, PlanHeld)
    assert held.guard == "pooler_unread"
    assert "no right to it." in held.reason
    assert isinstance(works.plan(request_for("scale_database", POOLED)), Plan)


def test_nothing_of_the_pooler_is_asked_where_a_target_does_not_name_it() -> None:
    clock = FakeClock()
    works = works_on(clock, database=FakeDatabase(clock))
    observed = works.observe(request_for("scale_database", DATABASE))
    assert "pooler" not in observed
    assert project_values(observed) == {"size": "ci_micro"}


def test_after_a_failure_the_pool_size_that_is_there_is_told() -> None:
    _, database, run = prepared()
    database.pool = 30
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert "has pool size 30 now (before: 15, wanted: 40)" in said
