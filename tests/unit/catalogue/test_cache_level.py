"""The zone's cache level: planned, set in one write, undone, and a person's level kept."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.cloudflare_zone.level import MEANS
from service.catalogue.cloudflare_zone.target import LEVELS, ZoneTarget
from service.catalogue.registry import kind_spec
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.fakes.zones import ZONE, FakeZones

CDN = ZoneTarget("cdn", ZONE, cache_levels=("basic", "aggressive"))


def zone(**facts: Any) -> tuple[FakeClock, FakeZones]:
    clock = FakeClock()
    return clock, FakeZones(clock, **facts)


def ready(level: str, clock: FakeClock, zones: FakeZones) -> FakeRun:
    request = request_for("set_cache_level", CDN, options={"level": level})
    return planned(works_on(clock, zones=zones), request, clock)


def plan_of(level: str, zones: FakeZones, target: ZoneTarget = CDN) -> Plan | PlanHeld:
    request = request_for("set_cache_level", target, options={"level": level})
    return works_on(zones.clock, zones=zones).plan(request)


def test_each_level_of_cloudflare_has_words_that_say_what_it_does() -> None:
    assert set(MEANS) == set(LEVELS)


def test_a_plan_names_both_levels_and_says_that_only_query_strings_change() -> None:
    plan = plan_of("basic", zone()[1])
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == ("cache_level", "aggressive", "basic")
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)
    assert plan.steps == ("set_level", "verify_level")
    assert "No downtime." in plan.downtime
    assert "query string is always answered by the origin" in plan.downtime
    assert "No other path is cached" in plan.downtime
    assert kind_spec("cloudflare_zone").changed(plan) == {"cache_level": ("aggressive", "basic")}


@pytest.mark.parametrize(
    ("level", "target", "facts", "guard", "says"),
    [
        ("aggressive", CDN, {}, "already_there", "already as wanted"),
        (
            "simplified",
            CDN,
            {},
            "options",
            "does not allow the cache level 'simplified'; it allows",
        ),
        ("basic", ZoneTarget("cdn", ZONE), {}, "options", "names no cache_levels"),
        ("basic", CDN, {"paused": True}, "zone_status", "is paused"),
        ("basic", CDN, {"level_editable": False}, "not_editable", "which is aggressive"),
    ],
)
def test_a_level_that_cannot_be_set_is_held_with_its_reason(
    level: str, target: ZoneTarget, facts: dict[str, Any], guard: str, says: str
) -> None:
    held = plan_of(level, zone(**facts)[1], target)
    assert isinstance(held, PlanHeld)
    assert (held.guard, says in held.reason) == (guard, True), held.reason


def test_a_token_that_may_not_read_settings_is_not_asked_to_where_a_target_names_no_level() -> None:
    _, zones = zone()
    request = request_for("purge", ZoneTarget("cdn", ZONE), options={"tags": ["a"]})
    assert works_on(zones.clock, zones=zones).observe(request)["level"] is None


def test_a_level_is_set_in_one_write_read_back_and_undone() -> None:
    clock, zones = zone()
    records = ready("basic", clock, zones).execute()
    assert (zones.writes.effective, zones.level) == (["set_cache_level basic"], "basic")
    assert records["verify_level"] == {"level": "basic", "means": MEANS["basic"]}
    undo = request_for("set_cache_level", CDN, wanted=(Wanted("cache_level", to="aggressive"),))
    planned(works_on(clock, zones=zones), undo, clock).execute()
    assert zones.level == "aggressive"


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_answer_of_a_level_is_settled_by_a_look(acted: bool) -> None:
    clock, zones = zone()
    run = ready("basic", clock, zones)
    (zones.writes.after if acted else zones.writes.before)[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert (zones.writes.effective, zones.level) == (["set_cache_level basic"], "basic")


def test_a_level_that_a_person_sets_after_the_plan_is_left_and_planned_again() -> None:
    clock, zones = zone()
    run = ready("basic", clock, zones)
    zones.level = "simplified"
    with pytest.raises(TargetChanged, match="is simplified and not aggressive"):
        run.execute()
    assert (zones.writes.sent, run.intents, zones.level) == (0, {}, "simplified")


def test_another_level_right_after_the_write_fails_the_run_and_says_what_is_there() -> None:
    clock, zones = zone()
    run = ready("basic", clock, zones)
    run.step("set_level")
    zones.level = "simplified"
    with pytest.raises(StepFailed, match="it is simplified now"):
        run.step("verify_level")
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert "has the cache level simplified now" in said


def test_a_refused_level_has_changed_nothing() -> None:
    clock, zones = zone()
    run = ready("basic", clock, zones)
    zones.writes.before[0] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.execute()
    assert (run.intents, zones.level) == ({}, "aggressive")


def test_an_execution_that_lost_its_run_sets_no_level() -> None:
    clock, zones = zone()
    run = ready("basic", clock, zones)
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("set_level")
    assert zones.level == "aggressive"
