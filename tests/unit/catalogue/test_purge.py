"""A purge of what Cloudflare has cached: planned, sent once, and seen at the probe."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.cloudflare_zone.purge import MOST_ENTRIES, PER_REQUEST, in_words
from service.catalogue.cloudflare_zone.steps import Seen, seen
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.registry import NotInCatalogue, action_spec, checked_options
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, FencedOut, StepFailed, VendorError
from service.ports.cloudflare_zone import EdgeCopy
from tests.fakes.clock import FakeClock
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.fakes.zones import ZONE, FakeZones

PROBE = "https://quizmentor.app/assets/app.js"
CDN = ZoneTarget("cdn", ZONE, PROBE)
BLIND = ZoneTarget("cdn", ZONE)
ASSETS = {"prefixes": ["quizmentor.app/assets/"]}


def asked(options: dict[str, Any], target: ZoneTarget = CDN) -> Request:
    return request_for("purge", target, options=options)


def ready(
    options: dict[str, Any] | None = None, target: ZoneTarget = CDN
) -> tuple[FakeClock, FakeZones, FakeRun]:
    """A zone whose probe has been cached for a minute, and a run that is planned for it."""
    clock = FakeClock()
    zones = FakeZones(clock)
    zones.copy(PROBE)
    clock.sleep(60.0)
    works = works_on(clock, zones=zones)
    return clock, zones, planned(works, asked(options or ASSETS, target), clock)


def plan_of(options: dict[str, Any], target: ZoneTarget = CDN, **zone: Any) -> Plan | PlanHeld:
    clock = FakeClock()
    return works_on(clock, zones=FakeZones(clock, **zone)).plan(asked(options, target))


# ---- The plan ----


def test_a_plan_says_what_is_purged_that_it_costs_nothing_and_that_nothing_takes_it_back() -> None:
    plan = plan_of({**ASSETS, "tags": ["questions", "news"]})
    assert isinstance(plan, Plan)
    assert plan.before == "1 prefix (quizmentor.app/assets/) and 2 tags (questions, news)"
    assert (plan.what, plan.after) == ("cache", "purged")
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)
    assert "No downtime" in plan.downtime
    assert "cannot be undone" in plan.downtime


def test_a_long_list_becomes_requests_of_a_hundred_and_what_is_named_twice_is_sent_once() -> None:
    tags = [f"tag-{number}" for number in range(250)]
    plan = plan_of({"tags": [*tags, "tag-0"], "hosts": ["quizmentor.app"]})
    assert isinstance(plan, Plan)
    sizes = [(each["by"], len(each["entries"])) for each in plan.wanted["batches"]]
    assert sizes == [("tags", 100), ("tags", 100), ("tags", 50), ("hosts", 1)]
    assert plan.steps == ("purge_1", "purge_2", "purge_3", "purge_4", "verify")


def test_the_longest_lists_that_are_allowed_have_a_step_for_each_request() -> None:
    names = range(MOST_ENTRIES)
    plan = plan_of(
        {
            "prefixes": [f"quizmentor.app/{number}" for number in names],
            "tags": [f"t{number}" for number in names],
            "hosts": [f"h{number}.quizmentor.app" for number in names],
            "files": [f"https://quizmentor.app/{number}" for number in names],
        }
    )
    assert isinstance(plan, Plan)
    assert len(plan.wanted["batches"]) == 4 * MOST_ENTRIES / PER_REQUEST
    assert len(plan.steps) == len(plan.wanted["batches"]) + 1


@pytest.mark.parametrize(
    ("options", "probed"),
    [
        (ASSETS, True),
        ({"prefixes": ["QuizMentor.app/assets/"]}, True),
        ({"prefixes": ["quizmentor.app/api/"]}, False),
        ({"hosts": ["quizmentor.app"]}, True),
        ({"hosts": ["www.quizmentor.app"]}, False),
        ({"files": [PROBE]}, True),
        ({"files": [f"{PROBE}?v=2"]}, False),
        ({"tags": ["assets"]}, False),
        ({"everything": True}, True),
    ],
)
def test_the_probe_proves_only_what_surely_covers_it(options: dict[str, Any], probed: bool) -> None:
    plan = plan_of(options)
    assert isinstance(plan, Plan)
    assert [each["probed"] for each in plan.wanted["batches"]] == [probed]


@pytest.mark.parametrize(
    ("options", "zone", "guard", "says"),
    [
        ({}, {}, "options", "names nothing to purge"),
        ({**ASSETS, "everything": True}, {}, "options", "already covers prefixes"),
        (ASSETS, {"paused": True}, "zone_status", "quizmentor.app is paused at Cloudflare"),
        (ASSETS, {"status": "pending"}, "zone_status", "is pending at Cloudflare"),
        ({"hosts": ["notquizmentor.app"]}, {}, "not_in_zone", "notquizmentor.app: not in zone"),
        ({"prefixes": ["evil.example/x"]}, {}, "not_in_zone", "evil.example/x: not in zone"),
        ({"files": ["https://evil.example/x"]}, {}, "not_in_zone", "https://evil.example/x"),
    ],
)
def test_what_cannot_be_purged_is_held_with_its_reason(
    options: dict[str, Any], zone: dict[str, Any], guard: str, says: str
) -> None:
    held = plan_of(options, **zone)
    assert isinstance(held, PlanHeld)
    assert held.guard == guard
    assert says in held.reason


@pytest.mark.parametrize(
    "options",
    [
        {"prefixes": ["https://quizmentor.app/assets/"]},
        {"prefixes": ["quizmentor.app"]},
        {"prefixes": ["quizmentor.app/a?b=1"]},
        {"prefixes": ["quizmentor.app/a b"]},
        {"hosts": ["quizmentor.app/"]},
        {"tags": ["a,b"]},
        {"tags": ["a b"]},
        {"tags": [""]},
        {"tags": ["t" * 1025]},
        {"tags": [f"t{number}" for number in range(MOST_ENTRIES + 1)]},
        {"files": ["quizmentor.app/logo.png"]},
        {"files": ["https://quizmentor.app/#top"]},
        {"prefixes": "quizmentor.app/assets/"},
        {"everything": "yes"},
        {"everthing": True},
    ],
)
def test_options_that_cloudflare_would_not_understand_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(NotInCatalogue, match="purge cannot be done with these options"):
        checked_options("purge", options)


def test_many_entries_are_told_as_a_few_and_a_number() -> None:
    options = checked_options("purge", {"tags": ["a", "b", "c", "d", "e"]})
    assert in_words(options) == "5 tags (a, b, c and 2 more)"


def test_nothing_undoes_a_purge() -> None:
    assert not action_spec("purge").undoes


# ---- What the probe shows ----


@pytest.mark.parametrize(
    ("copy", "least_s", "most_s", "shows"),
    [
        (EdgeCopy("MISS", None), 0.0, 0.1, Seen.PURGED),
        (EdgeCopy("EXPIRED", None), 0.0, 0.1, Seen.PURGED),
        (EdgeCopy("HIT", 60), 5.0, 5.1, Seen.OLD),
        (EdgeCopy("STALE", 60), 5.0, 5.1, Seen.OLD),
        (EdgeCopy("HIT", 3), 5.0, 5.1, Seen.PURGED),
        (EdgeCopy("HIT", 5), 5.0, 5.1, Seen.PURGED),
        (EdgeCopy("HIT", 0), 0.0, 0.0, Seen.PURGED),
        (EdgeCopy("HIT", 5), 4.9, 5.0, Seen.TOO_CLOSE),
        (EdgeCopy("HIT", 6), 4.9, 5.0, Seen.OLD),
        (EdgeCopy("HIT", None), 5.0, 5.1, Seen.UNTOLD),
        (EdgeCopy("DYNAMIC", None), 5.0, 5.1, Seen.UNTOLD),
        (EdgeCopy("", None), 5.0, 5.1, Seen.UNTOLD),
    ],
)
def test_a_copy_tells_whether_it_is_older_than_the_purge(
    copy: EdgeCopy, least_s: float, most_s: float, shows: Seen
) -> None:
    assert seen(copy, least_s, most_s) is shows


# ---- The steps ----


def test_a_purge_is_sent_and_seen_at_the_probe() -> None:
    _, zones, run = ready()
    records = run.execute()
    assert zones.asked == [("prefixes", ("quizmentor.app/assets/",))]
    assert "no longer served from a copy of before" in records["verify"]["proof"]


def test_a_purge_that_no_probe_covers_says_that_nothing_proves_it() -> None:
    _, _, run = ready({"tags": ["questions"]})
    assert run.execute()["verify"]["proof"].startswith("none: Cloudflare took each request")


def test_a_probe_that_is_not_cached_proves_nothing_and_fails_nothing() -> None:
    clock, zones, run = ready()
    zones.caches = False
    proof = run.execute()["verify"]["proof"]
    assert proof == f"none: the edge says DYNAMIC of {PROBE}, so it does not cache it"
    assert clock.time() > 0


def test_a_purge_without_effect_fails_with_the_age_of_the_copy() -> None:
    _, zones, run = ready()
    zones.deaf = True
    with pytest.raises(StepFailed, match=rf"{PROBE} still comes from a copy that is \d+ s old"):
        run.execute()


@pytest.mark.parametrize("acted", [True, False])
def test_a_lost_answer_is_settled_by_the_probe_and_the_purge_takes_effect_once(
    acted: bool,
) -> None:
    _, zones, run = ready()
    faults = zones.writes.after if acted else zones.writes.before
    faults[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert zones.writes.effective == ["purge prefixes"]
    assert zones.writes.sent == (1 if acted else 2)


def test_a_purge_that_takes_effect_late_is_not_sent_again() -> None:
    _, zones, run = ready()
    zones.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    zones.writes.late[0] = 5.0
    run.execute()
    assert (zones.writes.sent, zones.writes.effective) == (1, ["purge prefixes"])


@pytest.mark.parametrize("target", [BLIND, CDN])
def test_a_lost_answer_that_nothing_shows_is_not_sent_again_and_says_how_to_go_on(
    target: ZoneTarget,
) -> None:
    options = ASSETS if target is BLIND else {"tags": ["questions"]}
    _, zones, run = ready(options, target)
    zones.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    with pytest.raises(StepFailed, match=r"not sent again.*`runbookd retry cdn\.out\.1`"):
        run.execute()
    assert zones.writes.sent == 1
    assert run.intents, "the purge may have been taken"


def test_a_crash_whose_effect_nothing_shows_sends_nothing_again() -> None:
    _, zones, run = ready(ASSETS, BLIND)
    zones.writes.after[0] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    with pytest.raises(StepFailed, match="It is not known whether Cloudflare took the request"):
        run.execute()
    assert zones.writes.sent == 1


def test_a_crash_between_two_requests_sends_only_the_second() -> None:
    tags = [f"tag-{number}" for number in range(PER_REQUEST + 1)]
    _, zones, run = ready({"tags": tags}, BLIND)
    zones.writes.before[1] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.execute()
    run.execute()
    assert [entries for _, entries in zones.asked] == [tuple(tags[:100]), tuple(tags[100:])]


def test_a_limit_is_waited_for_and_the_purge_sent_once() -> None:
    clock, zones, run = ready(ASSETS, BLIND)
    began = clock.time()
    zones.writes.before[0] = vendor_error(FailureKind.TEMPORARY, retry_after=12.0)
    run.execute()
    assert zones.writes.effective == ["purge prefixes"]
    assert clock.time() - began >= 12.0


def test_a_purge_that_was_refused_has_written_nothing() -> None:
    _, zones, run = ready()
    zones.writes.before[0] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.execute()
    assert run.intents == {}


def test_an_execution_that_lost_its_run_purges_nothing() -> None:
    _, zones, run = ready()
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("purge_1")
    assert zones.asked == []


def test_after_a_failure_people_read_that_the_zone_serves() -> None:
    _, _, run = ready()
    assert "serves as before" in run.works.make_safe(run.context, run.request, run.plan)
