from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.domain.decisions.planning import Plan, PlanHeld
from service.messages import announcements
from service.messages.announcements import Failure, price_change
from service.messages.going_on import next_try
from service.ports import Message, Page
from tests.fakes.runs import API, EDGE, request_for

ASK = request_for("horizontal_scale", API)
NOW = 1_780_000_000.0
"""2026-05-28 20:26:40 UTC."""
PLAN = Plan("replicas", "2", "3", ("update_app",), {}, 40.0, 60.0)
FAILURE = Failure("await_deployment", "Deployment dep-1 ended as ERROR.", "2 replicas serve.")
HOLD = PlanHeld("max_replicas", "It runs 10.", at_bound=True, facts={"max": 10})


def test_the_announcement_says_before_and_after_why_by_which_rule_and_the_price() -> None:
    told = announcements.announced(ASK, PLAN)
    assert told.title == "api: replicas 2 → 3"
    assert told.text == "Scaling because High CPU Usage is 93."
    assert ("Rule", "a-rule") in told.fields
    assert ("Price", "$40 → $60 a month (+$20)") in told.fields
    assert told.context == (
        "run api.out.1 · alert alert-1 · rules 0123456789ab · `runbookd explain api.out.1`"
    )


def test_the_announcement_says_before_the_act_what_goes_down_and_for_how_long() -> None:
    told = announcements.announced(ASK, replace(PLAN, downtime="It is away for a minute."))
    assert told.text == "Scaling because High CPU Usage is 93. It is away for a minute."


def test_a_plan_of_a_version_that_said_no_downtime_is_announced_all_the_same() -> None:
    recorded = {name: value for name, value in PLAN.to_json().items() if name != "downtime"}
    told = announcements.announced(ASK, Plan.from_json(recorded))
    assert told.text == "Scaling because High CPU Usage is 93."


def test_what_makes_nothing_larger_is_told_as_a_change() -> None:
    ask = request_for("apply_balancer", EDGE)
    plan = Plan("file", "a with 1 server", "b with 2 servers", ("write",), {}, 0.0, 0.0)
    assert announcements.announced(ask, plan).text == "Changing because High CPU Usage is 93."
    assert announcements.finished(ask, plan, 2.0).text.startswith("Changed because High CPU Usage")


def test_the_end_says_how_long_it_took_and_until_when_it_rests() -> None:
    told = announcements.finished(ASK, PLAN, 75.2, NOW + 600, NOW)
    assert told.title == "Done: api: replicas 2 → 3"
    assert "Verified after 1 min 15 s." in told.text
    assert "The next step may follow in 10 min, at 20:36 UTC." in told.text


def test_a_hold_says_the_guard_and_the_reason() -> None:
    told = announcements.held(ASK, HOLD, next_try(ASK, NOW + 60, NOW, by_itself=True))
    assert told.title == "Held: horizontal_scale of api"
    assert "It runs 10. It is looked at again in 1 min, at 20:27 UTC." in told.text
    assert ("Guard", "max_replicas") in told.fields
    paged = announcements.held(ASK, HOLD, "Then.", paged=True)
    assert paged.text.endswith("It runs 10. The person on call is paged. Then.")


def test_a_failure_says_what_was_tried_and_how_it_was_left() -> None:
    told = announcements.failed(ASK, PLAN, FAILURE)
    assert told.title == "Failed: api: replicas 2 → 3"
    assert told.text.splitlines()[:2] == [FAILURE.sentence, FAILURE.left]
    assert ("Step", "await_deployment") in told.fields


def test_a_failure_before_any_plan_can_be_told_too() -> None:
    assert announcements.failed(ASK, None, FAILURE).title == "Failed: horizontal_scale of api"
    assert (
        "horizontal_scale of api failed: Deployment dep-1 ended as ERROR."
        in announcements.page_for_failure(ASK, None, FAILURE).summary
    )


def test_the_page_of_a_failed_run_is_one_incident_for_that_run() -> None:
    page = announcements.page_for_failure(ASK, PLAN, FAILURE)
    assert page.dedup_key == "runbookd/run/api.out.1"
    assert page.summary == (
        "api: replicas 2 → 3 failed: Deployment dep-1 ended as ERROR. 2 replicas serve."
    )
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
    event = announcements.change_event(LINKED, PLAN)
    assert event.links == LINKS
    assert event.summary == "api: replicas 2 → 3 (High CPU Usage is 93)"
    assert event.details["run"] == "api.out.1"
    assert event.details["price"] == "$40 → $60 a month (+$20)"


def test_a_replay_is_marked_as_one() -> None:
    told = announcements.announced(request_for("horizontal_scale", API, replay=True), PLAN)
    assert " · a replay · " in told.context
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


def test_a_price_that_is_not_the_vendors_own_of_today_says_where_it_is_from() -> None:
    known = replace(PLAN, price_source="DigitalOcean's list of 2026-11-03")
    priced = "$40 → $60 a month (+$20), by DigitalOcean's list of 2026-11-03"
    assert ("Price", priced) in announcements.announced(ASK, known).fields
    assert ("Price", priced) in announcements.finished(ASK, known, 75.2, NOW + 600, NOW).fields


LINKED = replace(
    ASK,
    origin=replace(
        ASK.origin,
        alerts=("a-1", "a-2", "a-3"),
        links=(
            ("https://grafana.example/d/1", "High CPU Usage: dashboard"),
            ("https://wiki.example/cpu", "High CPU Usage: runbook_url"),
        ),
    ),
)
LINKS = (
    ("https://cloud.digitalocean.com/apps/app-1", "api: the vendor's console"),
    *LINKED.origin.links,
)


@pytest.mark.parametrize(
    "told",
    [
        announcements.announced(LINKED, PLAN),
        announcements.finished(LINKED, PLAN, 75.2, NOW + 600, NOW),
        announcements.held(LINKED, HOLD),
        announcements.put_off(LINKED, PLAN, HOLD),
        announcements.failed(LINKED, PLAN, FAILURE),
    ],
    ids=lambda told: told.title,
)
def test_each_message_of_a_run_has_its_links_its_ids_and_the_command_to_type(told: Message) -> None:
    assert told.links == LINKS
    assert told.context.startswith("run api.out.1 · alert a-1 and 2 more · ")
    assert told.context.endswith("`runbookd explain api.out.1`")


@pytest.mark.parametrize(
    "page",
    [
        announcements.page_for_failure(LINKED, PLAN, FAILURE, next_try="Then."),
        announcements.page_at_bound(LINKED, HOLD, next_try="Then."),
        announcements.page_for_hold(LINKED, None, HOLD, next_try="Then."),
    ],
    ids=lambda page: page.summary,
)
def test_each_page_of_a_run_has_its_links_its_ids_the_next_try_and_the_command(page: Page) -> None:
    assert page.links == LINKS
    assert page.details["alerts"] == ["a-1", "a-2", "a-3"]
    assert page.details["next try"] == "Then."
    assert page.details["what to type"] == "runbookd explain api.out.1"


def test_a_failure_says_when_the_next_try_may_be_and_what_it_waits_for() -> None:
    then = next_try(ASK, NOW + 540, NOW, by_itself=False)
    told = announcements.failed(ASK, PLAN, FAILURE, next_try=then)
    assert told.text.splitlines() == [
        "Deployment dep-1 ended as ERROR.",
        "2 replicas serve.",
        "The person on call was paged.",
        "The next try may be in 9 min, at 20:35 UTC, if the alert still fires and is sent again.",
        "See each step: `runbookd explain api.out.1`.",
    ]


def test_a_run_that_no_alert_asked_for_waits_for_whoever_asks_again() -> None:
    asked = request_for("horizontal_scale", API, replay=True)
    assert next_try(asked, NOW + 60, NOW, by_itself=False) == (
        "The next try may be in 1 min, at 20:27 UTC, if it is asked for again."
    )


def test_how_the_target_was_left_is_said_once() -> None:
    told_already = replace(FAILURE, sentence="The resize was refused. 2 replicas serve.")
    page = announcements.page_for_failure(ASK, PLAN, told_already)
    message = announcements.failed(ASK, PLAN, told_already)
    assert page.summary.count("2 replicas serve.") == message.text.count("2 replicas serve.") == 1
    assert page.details["how the target was left"] == "2 replicas serve."
