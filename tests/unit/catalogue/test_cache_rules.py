"""Sets of cache rules: compiled, planned, set in one write, undone, and people's rules kept."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.cloudflare_zone.rules import (
    EDITED,
    NONE,
    compiled,
    differences,
    merged,
    others,
    value_of,
)
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.fakes.zones import ZONE, FakeZones
from tests.unit.rulebook_files import ENV, PACK, load

YEAR, DAY = 365 * 86_400, 86_400


def rule(name: str, path: str, mode: str, **times: int) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "path": path, "host": "", "mode": mode}
    return {**made, "edge_s": times.get("edge"), "browser_s": times.get("browser")}


STANDARD = [
    rule("admin", "/admin/*", "bypass"),
    rule("assets", "/assets/*", "cache", edge=YEAR, browser=YEAR),
    rule("questions", "/api/questions", "respect"),
]
AGGRESSIVE = [
    rule("assets", "/assets/*", "cache", edge=YEAR, browser=YEAR),
    rule("questions", "/api/questions", "cache", edge=DAY),
    rule("pages", "/learn/*", "cache", edge=DAY),
    rule("admin", "/admin/*", "bypass"),
]
CDN = ZoneTarget("cdn", ZONE, "", "", {"standard": STANDARD, "aggressive": AGGRESSIVE})
THEIRS = {
    "id": "id-7",
    "ref": "theirs",
    "expression": "(true)",
    "action": "set_cache_settings",
    "action_parameters": {"cache": True},
    "description": "a person's rule",
    "enabled": True,
    "version": "3",
    "last_updated": "2026-11-01T00:00:00Z",
}


def zone(*sets: str, **facts: Any) -> tuple[FakeClock, FakeZones]:
    clock = FakeClock()
    zones = FakeZones(clock, **facts)
    for name in sets:
        zones.put(merged(zones.rules, compiled(name, CDN.cache_rules[name])))
    return clock, zones


def ready(name: str, clock: FakeClock, zones: FakeZones) -> FakeRun:
    request = request_for("set_cache_rules", CDN, options={"set": name})
    return planned(works_on(clock, zones=zones), request, clock)


def plan_of(name: str, zones: FakeZones, target: ZoneTarget = CDN) -> Plan | PlanHeld:
    request = request_for("set_cache_rules", target, options={"set": name})
    return works_on(zones.clock, zones=zones).plan(request)


def refs(zones: FakeZones) -> list[str]:
    return [str(each["ref"]) for each in zones.rules]


# ---- What a set becomes ----


def test_the_four_rules_of_the_runbook_become_these_expressions_with_what_bypasses_last(
    tmp_path: Any,
) -> None:
    files = [PACK.read_text(), (PACK.parent / "cdn.yml").read_text()]
    book = load(tmp_path, *files, env={**ENV, "CLOUDFLARE_ZONE_ID": ZONE})
    target = book.targets["cdn"]
    assert isinstance(target, ZoneTarget)
    made = compiled("standard", target.cache_rules["standard"])
    assert [(each["expression"], each["action_parameters"]) for each in made] == [
        (
            '(starts_with(http.request.uri.path, "/assets/"))',
            {
                "cache": True,
                "edge_ttl": {"mode": "override_origin", "default": YEAR},
                "browser_ttl": {"mode": "override_origin", "default": YEAR},
            },
        ),
        (
            '(http.request.uri.path eq "/api/questions")',
            {
                "cache": True,
                "edge_ttl": {"mode": "respect_origin"},
                "browser_ttl": {"mode": "respect_origin"},
            },
        ),
        ('(starts_with(http.request.uri.path, "/api/user/"))', {"cache": False}),
        ('(starts_with(http.request.uri.path, "/admin/"))', {"cache": False}),
    ]


def test_what_bypasses_the_cache_comes_last_whatever_the_order_in_the_file() -> None:
    """The last rule that matches wins: an order that is wrong would serve one person's to all."""
    assert [each["ref"] for each in compiled("standard", STANDARD)] == [
        "runbookd_assets",
        "runbookd_questions",
        "runbookd_admin",
    ]


def test_a_rule_of_one_host_asks_for_the_host_too() -> None:
    (made,) = compiled("a", [{**rule("x", "/x/*", "bypass"), "host": "quizmentor.app"}])
    assert made["expression"] == (
        '(http.host eq "quizmentor.app" and starts_with(http.request.uri.path, "/x/"))'
    )


def test_the_value_of_a_zone_is_the_name_of_the_set_that_is_there() -> None:
    _, zones = zone("standard")
    assert value_of(zones.rules) == "standard"
    assert value_of([THEIRS]) == NONE
    zones.rules[0]["enabled"] = False
    assert value_of(zones.rules) == EDITED
    _, other = zone("standard")
    assert value_of([*other.rules[1:], other.rules[0]]) == EDITED, "the order counts"
    assert value_of(other.rules[1:]) == EDITED
    assert value_of([{**each, "description": ""} for each in other.rules]) == EDITED


def test_rules_of_people_keep_their_order_and_their_place_between_ours() -> None:
    first, second = ({**THEIRS, "ref": ref} for ref in ("first", "second"))
    was = compiled("standard", STANDARD)
    present = [first, was[0], second, *was[1:]]
    now = merged(present, compiled("aggressive", AGGRESSIVE))
    assert [each["ref"] for each in now] == [
        "first",
        "runbookd_assets",
        "second",
        "runbookd_questions",
        "runbookd_pages",
        "runbookd_admin",
    ]
    back = merged(now, was)
    assert [each["ref"] for each in back] == [each["ref"] for each in present]
    assert [each["ref"] for each in merged(now, [])] == ["first", "second"]


def test_where_there_is_none_of_ours_yet_they_come_first_so_that_a_persons_rule_wins() -> None:
    now = merged([THEIRS], compiled("standard", STANDARD))
    assert [each["ref"] for each in now][-1] == "theirs"


def test_a_rule_of_a_person_goes_back_whole_but_for_what_only_the_vendor_says() -> None:
    (kept,) = others([THEIRS])
    assert kept == {k: v for k, v in THEIRS.items() if k not in ("version", "last_updated")}


def test_a_change_is_told_rule_by_rule() -> None:
    made = differences(compiled("a", STANDARD), compiled("b", AGGRESSIVE))
    assert made == ["+ pages", "~ questions"]
    assert differences(compiled("a", STANDARD), []) == ["- assets", "- questions", "- admin"]


# ---- The plan ----


def test_a_plan_names_both_sets_and_each_rule_that_changes() -> None:
    plan = plan_of("aggressive", zone("standard")[1])
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == ("cache_rules", "standard", "aggressive")
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)
    assert "It changes + pages, ~ questions." in plan.downtime
    assert plan.steps == ("set_rules", "verify_rules")


@pytest.mark.parametrize(
    ("name", "sets", "facts", "guard", "says"),
    [
        ("standard", ("standard",), {}, "already_there", "already as wanted"),
        ("maximum", (), {}, "options", "no set of cache rules 'maximum'; there is standard"),
        ("standard", (), {"paused": True}, "zone_status", "is paused"),
    ],
)
def test_what_cannot_be_set_is_held_with_its_reason(
    name: str, sets: tuple[str, ...], facts: dict[str, Any], guard: str, says: str
) -> None:
    held = plan_of(name, zone(*sets, **facts)[1])
    assert isinstance(held, PlanHeld)
    assert (held.guard, says in held.reason) == (guard, True), held.reason


@pytest.mark.parametrize(
    ("plan", "edge", "allowed"),
    [("free", 7199, False), ("free", 7200, True), ("pro", 3599, False), ("business", 1, True)],
)
def test_a_time_that_the_zones_plan_does_not_take_is_held(
    plan: str, edge: int, allowed: bool
) -> None:
    target = ZoneTarget("cdn", ZONE, "", "", {"short": [rule("a", "/a", "cache", edge=edge)]})
    found = plan_of("short", zone(plan=plan)[1], target)
    assert isinstance(found, Plan) == allowed
    assert allowed or "takes no less than" in found.reason  # type: ignore[union-attr]


def test_more_rules_than_the_zones_plan_takes_are_held_with_those_of_people() -> None:
    _, zones = zone()
    zones.put([{**THEIRS, "ref": f"theirs-{number}"} for number in range(8)])
    held = plan_of("standard", zones)
    assert isinstance(held, PlanHeld)
    assert "it would have 11 cache rules, and plan free takes 10" in held.reason


def test_rules_of_ours_that_a_person_has_edited_are_left_and_told() -> None:
    _, zones = zone("standard")
    zones.rules[1]["expression"] = "(true)"
    held = plan_of("aggressive", zones)
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.by_person) == ("edited_by_hand", True)


def test_a_set_that_was_changed_in_the_file_is_set_again_under_its_name() -> None:
    _, zones = zone("standard")
    target = ZoneTarget("cdn", ZONE, "", "", {"standard": STANDARD[:2]})
    plan = plan_of("standard", zones, target)
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("standard", "standard")
    assert "- questions" in plan.downtime


def test_a_token_that_may_only_purge_reads_no_rules_where_a_target_names_none() -> None:
    _, zones = zone()
    seen = works_on(zones.clock, zones=zones).observe(
        request_for("purge", ZoneTarget("cdn", ZONE), options={"tags": ["a"]})
    )
    assert seen["rules"] is None


# ---- The steps ----


def test_a_set_is_set_in_one_write_and_read_back() -> None:
    clock, zones = zone()
    zones.put([THEIRS])
    records = ready("standard", clock, zones).execute()
    assert zones.writes.effective == ["set_cache_rules"]
    assert records["verify_rules"]["rules"] == 4
    assert refs(zones) == ["runbookd_assets", "runbookd_questions", "runbookd_admin", "theirs"]
    assert zones.rules[-1]["id"] == "id-7"


def test_an_undo_brings_back_what_was_there_and_leaves_a_persons_rule_where_it_is() -> None:
    clock, zones = zone("standard")
    zones.put([*zones.rules[:1], THEIRS, *zones.rules[1:]])
    was = refs(zones)
    ready("aggressive", clock, zones).execute()
    assert value_of(zones.rules) == "aggressive"
    undo = request_for("set_cache_rules", CDN, wanted=(Wanted("cache_rules", to="standard"),))
    planned(works_on(clock, zones=zones), undo, clock).execute()
    assert (refs(zones), value_of(zones.rules)) == (was, "standard")


def test_an_undo_of_the_first_set_removes_ours_alone() -> None:
    clock, zones = zone()
    zones.put([THEIRS])
    ready("standard", clock, zones).execute()
    ready(NONE, clock, zones).execute()
    assert refs(zones) == ["theirs"]


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_answer_is_settled_by_a_look(acted: bool) -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    faults = zones.writes.after if acted else zones.writes.before
    faults[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert zones.writes.effective == ["set_cache_rules"]
    assert value_of(zones.rules) == "aggressive"


def test_a_crash_after_the_write_does_not_write_again() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    zones.writes.after[0] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    run.execute()
    assert zones.writes.effective == ["set_cache_rules"]


def test_a_persons_rule_that_comes_between_plan_and_write_is_kept() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    zones.put([*zones.rules, THEIRS])
    run.execute()
    assert "theirs" in refs(zones)


def test_rules_of_ours_that_changed_since_the_plan_are_left_and_planned_again() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    zones.put(zones.rules[1:])
    with pytest.raises(TargetChanged):
        run.execute()
    assert (zones.writes.sent, run.intents) == (0, {})


def test_a_version_that_came_between_look_and_write_fails_the_run_and_is_told() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    run.context.on_fence = lambda: zones.put([*zones.rules, THEIRS])
    run.step("set_rules")
    with pytest.raises(StepFailed, match=r"version 1 was read, and ours is version 3"):
        run.step("verify_rules")
    assert run.intents, "it has written"


def test_rules_that_are_others_right_after_the_write_fail_the_run() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    run.step("set_rules")
    zones.put([])
    with pytest.raises(StepFailed, match="others are there now: none"):
        run.step("verify_rules")
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert "has our cache rules 'none' now" in said


def test_a_refused_write_has_changed_nothing() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    zones.writes.before[0] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.execute()
    assert (run.intents, value_of(zones.rules)) == ({}, "standard")


def test_an_execution_that_lost_its_run_sets_nothing() -> None:
    clock, zones = zone("standard")
    run = ready("aggressive", clock, zones)
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("set_rules")
    assert value_of(zones.rules) == "standard"
