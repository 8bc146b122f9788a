from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.domain.decisions.planning import Plan, PlanHeld
from service.messages import announcements
from service.messages.announcements import Failure, duration, price_change
from tests.fakes.runs import API, request_for

ASK = request_for("horizontal_scale", API)
PLAN = Plan("replicas", "2", "3", ("update_app",), {}, 40.0, 60.0)
FAILURE = Failure("await_deployment", "Deployment dep-1 ended as ERROR.", "2 replicas serve.")
HOLD = PlanHeld("max_replicas", "It runs 10.", at_bound=True, facts={"max": 10})


def test_the_announcement_says_before_and_after_why_by_which_rule_and_the_price() -> None:
    told = announcements.announced(ASK, PLAN)
    assert told.title == "api: replicas 2 → 3"
    assert told.text == "Scaling because High CPU Usage is 93."
    assert ("Rule", "a-rule") in told.fields
    assert ("Price", "$40 → $60 a month (+$20)") in told.fields
    assert told.context == "run api.out.1 · 1 alert · rules 0123456789ab"


def test_the_announcement_says_before_the_act_what_goes_down_and_for_how_long() -> None:
    told = announcements.announced(ASK, replace(PLAN, downtime="It is away for a minute."))
    assert told.text == "Scaling because High CPU Usage is 93. It is away for a minute."


def test_a_plan_of_a_version_that_said_no_downtime_is_announced_all_the_same() -> None:
    recorded = {name: value for name, value in PLAN.to_json().items() if name != "downtime"}
    told = announcements.announced(ASK, Plan.from_json(recorded))
    assert told.text == "Scaling because High CPU Usage is 93."


def test_the_end_says_how_long_it_took_and_until_when_it_rests() -> None:
    told = announcements.finished(ASK, PLAN, 75.2, cooldown_until=1_780_000_000.0)
    assert told.title == "Done: api: replicas 2 → 3"
    assert "Verified after 1 min 15 s." in told.text
    assert "No further step before 2026-05-28 20:26:40Z." in told.text


def test_a_hold_says_the_guard_and_the_reason() -> None:
    told = announcements.held(ASK, HOLD, until=1_780_000_060.0)
    assert told.title == "Held: horizontal_scale of api"
    assert "It runs 10. Looked at again at 2026-05-28 20:27:40Z." in told.text
    assert ("Guard", "max_replicas") in told.fields


def test_a_failure_says_what_was_tried_and_how_it_was_left() -> None:
    told = announcements.failed(ASK, PLAN, FAILURE)
    assert told.title == "Failed: api: replicas 2 → 3"
    assert told.text.splitlines()[:2] == [FAILURE.sentence, FAILURE.left]
    assert ("Step", "await_deployment") in told.fields


def test_a_failure_before_any_plan_can_be_told_too() -> None:
    assert announcements.failed(ASK, None, FAILURE).title == "Failed: horizontal_scale of api"
    assert (
        "horizontal_scale of api failed"
        in announcements.page_for_failure(ASK, None, FAILURE).summary
    )


def test_the_page_of_a_failed_run_is_one_incident_for_that_run() -> None:
    page = announcements.page_for_failure(ASK, PLAN, FAILURE)
    assert page.dedup_key == "runbookd/run/api.out.1"
    assert page.summary == "api: replicas 2 → 3 failed in await_deployment. 2 replicas serve."
    assert page.severity == "critical"
    assert page.details["what happened"] == FAILURE.sentence
    assert json.loads(json.dumps(page.details)) == page.details


def test_the_page_at_the_bound_is_one_incident_for_target_and_direction() -> None:
    first = announcements.page_at_bound(ASK, HOLD)
    again = announcements.page_at_bound(replace(ASK, id="api.out.2"), HOLD)
    assert first.dedup_key == again.dedup_key == "runbookd/bound/api.out"
    assert first.summary == "api can grow no further: It runs 10."
    assert first.details["max"] == 10


def test_a_change_event_tells_the_change_and_its_run() -> None:
    event = announcements.change_event(ASK, PLAN)
    assert event.summary == "api: replicas 2 → 3 (High CPU Usage is 93)"
    assert event.details["run"] == "api.out.1"
    assert event.details["price"] == "$40 → $60 a month (+$20)"


def test_a_replay_is_marked_as_one() -> None:
    told = announcements.announced(request_for("horizontal_scale", API, replay=True), PLAN)
    assert told.context.endswith("a replay")
    assert (
        announcements.change_event(request_for("horizontal_scale", API, replay=True), PLAN).details[
            "replay"
        ]
        is True
    )


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (10.0, 15.0, "$10 → $15 a month (+$5)"),
        (60.0, 40.0, "$60 → $40 a month (-$20)"),
        (9.5, 1870.0, "$9.5 → $1,870 a month (+$1,860.5)"),
        (None, 15.0, "not known"),
        (10.0, None, "not known"),
    ],
)
def test_a_price_is_dollars_a_month_or_not_known(
    before: float | None, after: float | None, text: str
) -> None:
    assert price_change(replace(PLAN, price_before=before, price_after=after)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s")]
)
def test_a_duration_reads_like_one(seconds: float, text: str) -> None:
    assert duration(seconds) == text
