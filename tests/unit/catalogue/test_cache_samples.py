"""Answers of the origin that are looked at before the edge keeps them for everybody."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.cloudflare_zone.rules import compiled
from service.catalogue.cloudflare_zone.samples import BUDGET_S, MOST
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.errors import FailureKind
from service.ports.cloudflare_zone import Answered
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.runs import planned, request_for, works_on
from tests.fakes.zones import ZONE, FakeZones

ORIGIN = "https://origin.quizmentor.app"
PAGE = f"{ORIGIN}/learn/1"
FINE = Answered(200, False, "public, max-age=60", "Accept-Encoding")


def rule(name: str, path: str, mode: str = "cache", **more: Any) -> dict[str, Any]:
    made = {"name": name, "path": path, "host": "", "mode": mode, "browser_s": None}
    return {**made, "edge_s": 7200 if mode == "cache" else None, **more}


LEARN = rule("learn", "/learn/*", sample="/learn/1")


def target(*made: dict[str, Any], origin: str = ORIGIN) -> ZoneTarget:
    return ZoneTarget("cdn", ZONE, cache_rules={"rush": list(made)}, origin=origin)


def zone(said: Answered | None = None, *present: dict[str, Any]) -> FakeZones:
    zones = FakeZones(FakeClock())
    if present:
        zones.put(compiled("rush", present))
    if said is not None:
        zones.origin[PAGE] = said
    return zones


def plan_of(zones: FakeZones, on: ZoneTarget) -> Plan | PlanHeld:
    request = request_for("set_cache_rules", on, options={"set": "rush"})
    return works_on(zones.clock, zones=zones).plan(request)


class SlowSite(FakeZones):
    """A site that takes half of the time for all samples to answer once."""

    def answer(self, url: str, host: str) -> Answered:
        self.clock.sleep(BUDGET_S / 2)
        return super().answer(url, host)


@pytest.mark.parametrize(
    ("said", "header"),
    [
        (Answered(200, True, "public", ""), "Set-Cookie"),
        (Answered(302, True, "", ""), "Set-Cookie"),
        (Answered(200, False, "max-age=0, Private", ""), "Cache-Control: private"),
        (Answered(200, False, 'private="x-user"', ""), "Cache-Control: private"),
        (Answered(200, False, "no-store", ""), "Cache-Control: no-store"),
        (Answered(200, False, "", "Accept-Encoding, authorization"), "Vary: Authorization"),
        (Answered(200, False, "public", "Cookie"), "Vary: Cookie"),
        (Answered(200, False, "public", "*"), "Vary: *"),
        (Answered(401, False, "", ""), "status 401, WWW-Authenticate"),
    ],
)
def test_a_path_whose_answer_is_one_persons_is_not_cached_and_path_and_header_are_named(
    said: Answered, header: str
) -> None:
    held = plan_of(zone(said), target(LEARN))
    assert isinstance(held, PlanHeld)
    assert held.guard == "personal_answer"
    assert f"{PAGE} answers with {header} (rule learn)" in held.reason
    assert "cache rules of cdn were left as they are" in held.reason


@pytest.mark.parametrize(
    "said",
    [
        FINE,
        Answered(200, False, "", ""),
        Answered(304, False, "no-cache", ""),
        Answered(200, False, "privately-owned, x-no-store", "X-Cookie"),
    ],
)
def test_a_path_whose_answer_everybody_may_share_is_cached_and_the_plan_says_so(
    said: Answered,
) -> None:
    plan = plan_of(zone(said), target(LEARN))
    assert isinstance(plan, Plan)
    assert plan.downtime.endswith("Sampled, and nobody's own: learn.")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_error_proves_nothing_and_the_plan_says_so(status: int) -> None:
    """The page of an error often says no-store, and says nothing of the page that is meant."""
    plan = plan_of(zone(Answered(status, False, "no-store", "")), target(LEARN))
    assert isinstance(plan, Plan)
    assert plan.downtime.endswith(f"Not sampled: learn (it answers {status}).")


def test_a_server_that_does_not_answer_proves_nothing_and_the_plan_says_why() -> None:
    zones = zone()
    zones.origin[PAGE] = vendor_error(FailureKind.UNKNOWN)
    plan = plan_of(zones, target(LEARN))
    assert isinstance(plan, Plan)
    assert "Not sampled: learn (" in plan.downtime


def test_without_an_origin_nothing_is_asked_for_and_the_plan_says_so() -> None:
    zones = zone(Answered(200, True, "", ""))
    plan = plan_of(zones, target(LEARN, origin=""))
    assert isinstance(plan, Plan)
    assert plan.downtime.endswith("Not sampled: the target names no origin.")
    assert zones.sampled == []


def test_only_rules_that_cache_and_that_are_new_or_different_are_sampled() -> None:
    same = rule("same", "/same")
    zones = zone(None, same, rule("longer", "/longer"), rule("cached", "/now", "bypass"))
    on = target(
        same,
        rule("longer", "/longer", edge_s=9000),
        rule("cached", "/now"),
        rule("new", "/new/*"),
        rule("respects", "/respects", "respect"),
        rule("admin", "/admin/*", "bypass"),
    )
    plan = plan_of(zones, on)
    assert isinstance(plan, Plan)
    assert zones.sampled == [(f"{ORIGIN}{path}", "") for path in ("/longer", "/now", "/new/")]


def test_a_rule_of_one_host_is_asked_for_under_its_name() -> None:
    zones = zone()
    hosts = ("www.quizmentor.app", "origin.quizmentor.app")
    on = target(*(rule(str(number), "/a", host=host) for number, host in enumerate(hosts)))
    plan_of(zones, on)
    assert zones.sampled == [(f"{ORIGIN}/a", "www.quizmentor.app"), (f"{ORIGIN}/a", "")]


def test_a_set_that_caches_nothing_new_says_nothing_of_samples() -> None:
    plan = plan_of(zone(), target(rule("admin", "/admin/*", "bypass")))
    assert isinstance(plan, Plan)
    assert "ampled" not in plan.downtime


def test_samples_are_bounded_in_number_and_in_time() -> None:
    many = [rule(f"r{number}", f"/{number}") for number in range(MOST + 3)]
    zones = zone()
    zones.plan = "business"
    plan = plan_of(zones, target(*many))
    assert isinstance(plan, Plan)
    assert len(zones.sampled) == MOST
    assert f"r{MOST} (not asked for: too many, or too slow)" in plan.downtime

    slow = SlowSite(FakeClock(), plan="business")
    plan_of(slow, target(*many))
    assert len(slow.sampled) == 3


def test_other_actions_of_the_zone_ask_the_site_for_nothing() -> None:
    zones = zone()
    request = request_for("purge", target(LEARN), options={"tags": ["a"]})
    works_on(zones.clock, zones=zones).observe(request)
    assert zones.sampled == []


def test_a_set_with_samples_is_set_as_one_without() -> None:
    zones = zone(FINE)
    request = request_for("set_cache_rules", target(LEARN), options={"set": "rush"})
    planned(works_on(zones.clock, zones=zones), request, zones.clock).execute()
    assert [each["ref"] for each in zones.rules] == ["runbookd_learn"]
    assert compiled("rush", [LEARN]) == compiled("rush", [rule("learn", "/learn/*")])
