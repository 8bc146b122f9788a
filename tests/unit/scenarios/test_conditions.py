"""Steps that begin only when a reading says so, and what ends a scenario before its time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.scenarios.going import (
    ACTIVE,
    DONE,
    GAP_S,
    INCOMPLETE,
    PLANNED,
    PLANNING,
    UNDOING,
    Deed,
    Facts,
    Quiet,
    Role,
    ScenarioNow,
    advance,
    readings_for,
)
from service.domain.scenarios.scenarios import Early, Scenario, When, scenario_from_fields
from service.domain.scenarios.told import run_told
from service.domain.watching import Taken
from service.messages import scenarios as messages
from tests.unit.scenarios.test_going import AT, FREE, A, B, C, child, scenario, states, with_child

SLOW = When("p95 > 500")
HURRIED = replace(B, after=("a",), when=SLOW)
LAST = replace(C, after=("b",))


def reads(**values: float | None) -> Facts:
    """What was read; None where nothing could be."""
    taken = {name: Taken(value, "it was not measured") for name, value in values.items()}
    return replace(FREE, taken=taken)


def at_its_turn(step: object = HURRIED) -> ScenarioNow:
    """A scenario whose second step's turn has come."""
    now = scenario(A, step, LAST)  # type: ignore[arg-type]  # a step, by its default
    return advance(with_child(now, "a", child("a", "succeeded")), AT, FREE).now


def test_a_step_begins_when_what_it_waits_for_holds_at_its_turn() -> None:
    now = at_its_turn()
    assert readings_for(now) == ("p95",)
    assert advance(now, AT, reads(p95=640.0)).begin == (("b", Role.FORWARD),)


def test_its_reading_is_not_asked_for_before_its_turn() -> None:
    assert readings_for(scenario(A, HURRIED)) == ()
    under_way = with_child(scenario(A, HURRIED), "a", child("a", "running"))
    assert readings_for(under_way) == ()
    assert readings_for(with_child(under_way, "a", child("a", "succeeded"))) == ("p95",)


def test_a_step_whose_turn_comes_within_a_look_waits_for_the_next_one() -> None:
    now = at_its_turn()
    assert states(now)["b"] == "pending"
    assert now.steps[1].reason == "p95 is looked at next"


def test_a_step_that_is_not_needed_says_why_and_what_comes_after_it_goes_on() -> None:
    now = advance(at_its_turn(), AT, reads(p95=320.0)).now
    assert states(now) == {"a": "done", "b": "not needed", "c": "pending"}
    assert now.steps[1].reason == "only when p95 > 500, and p95 is 320"
    following = advance(now, AT, FREE)
    assert following.begin == (("c", Role.FORWARD),)
    ended = advance(with_child(following.now, "c", child("c", "succeeded")), AT, FREE).now
    assert (ended.state, ended.reason) == (DONE, "done: a, c; not needed: b")


def test_a_step_is_left_out_with_all_after_it_where_its_reading_is_not_known() -> None:
    now = advance(at_its_turn(), AT, reads(p95=None)).now
    now = advance(now, AT, FREE).now
    assert states(now) == {"a": "done", "b": "left out", "c": "left out"}
    assert now.steps[1].reason == (
        "only when p95 > 500, and p95 is not known (it was not measured)"
    )
    assert now.state == INCOMPLETE
    assert "left out: b, c" in now.reason


def test_a_step_begins_on_an_unknown_reading_where_the_file_says_so() -> None:
    step = replace(HURRIED, when=replace(SLOW, unknown_begins=True))
    assert advance(at_its_turn(step), AT, reads(p95=None)).begin == (("b", Role.FORWARD),)


def test_a_pause_is_asked_before_the_reading_decides() -> None:
    held = replace(reads(p95=320.0), held=lambda step, role: "api is paused")
    now = advance(at_its_turn(), AT, held).now
    assert states(now)["b"] == "pending"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (640.0, "only when p95 > 500. p95 is 640: now it would begin"),
        (320.0, "only when p95 > 500. p95 is 320: now it would not begin"),
        (
            None,
            "only when p95 > 500. p95 is not known (it was not measured): now it would not begin",
        ),
    ],
)
def test_a_plan_says_what_the_reading_would_decide_now(value: float | None, says: str) -> None:
    now = replace(scenario(A, HURRIED), state=PLANNING, plan_only=True)
    assert readings_for(now) == ("p95",)
    planned = tuple(replace(each, plan=child(each.step.id, "shadow")) for each in now.steps)
    now = advance(replace(now, steps=planned), AT, reads(p95=value)).now
    assert (now.state, now.steps[1].reason) == (PLANNED, says)


def test_the_message_names_a_step_that_is_not_needed() -> None:
    now = advance(at_its_turn(), AT, reads(p95=320.0)).now
    assert "• Not needed: b, set_capacity of web (only when p95 > 500, and p95 is 320)" in (
        messages.told(now).text
    )


CALM = Early("rps < 300", 900.0)


def in_force(early: Early = CALM, **fields: object) -> ScenarioNow:
    """One whose steps are over."""
    now = scenario(A, lasts_s=86_400.0, early=early, **fields)
    return advance(with_child(now, "a", child("a", "succeeded", wrote=True)), AT, FREE).now


def test_it_ends_once_what_ends_it_early_has_held_for_so_long() -> None:
    now = in_force()
    assert (now.state, readings_for(now)) == (ACTIVE, ("rps",))
    for minute in range(15):
        now = advance(now, AT + 60 * minute, reads(rps=200.0)).now
        assert now.state == ACTIVE
    now = advance(now, AT + 900, reads(rps=200.0)).now
    assert now.state == UNDOING
    assert now.back is not None
    assert now.back.why == "rps < 300 has held for 15 min"
    assert not now.back.by_person


@pytest.mark.parametrize("facts", [reads(rps=400.0), reads(rps=None), FREE])
def test_it_begins_anew_where_that_did_not_hold_or_is_not_known(facts: Facts) -> None:
    now = advance(in_force(), AT, reads(rps=200.0)).now
    assert now.quiet == Quiet(AT, AT)
    now = advance(now, AT + 60, facts).now
    assert now.quiet is None
    now = advance(now, AT + 120, reads(rps=200.0)).now
    assert advance(now, AT + 120 + 60, reads(rps=200.0)).now.quiet == Quiet(AT + 120, AT + 180)


def test_what_nobody_has_seen_for_a_while_counts_from_the_next_look() -> None:
    now = advance(in_force(), AT, reads(rps=200.0)).now
    late = AT + GAP_S + 700
    now = advance(now, late, reads(rps=200.0)).now
    assert (now.state, now.quiet) == (ACTIVE, Quiet(late, late))


def test_it_ends_once_its_alert_has_been_resolved_for_so_long() -> None:
    now = in_force(Early("", 120.0))
    assert readings_for(now) == ()
    fires, over = replace(FREE, resolved=False), replace(FREE, resolved=True)
    now = advance(now, AT, fires).now
    assert now.quiet is None
    now = advance(now, AT + 60, over).now
    now = advance(now, AT + 120, over).now
    assert now.state == ACTIVE
    now = advance(now, AT + 180, over).now
    assert now.state == UNDOING
    assert now.back is not None
    assert now.back.why == "the alert that started it has been resolved for 2 min"


def test_nothing_is_taken_away_early_while_an_alert_asks_for_more() -> None:
    now = advance(in_force(), AT, reads(rps=200.0)).now
    asking = replace(reads(rps=200.0), asking="High CPU Usage")
    for minute in range(1, 20):
        now = advance(now, AT + 60 * minute, asking).now
    assert now.state == ACTIVE


def test_it_still_ends_at_its_time() -> None:
    now = advance(in_force(), AT + 86_400, reads(rps=400.0)).now
    assert now.back is not None
    assert now.back.why == "its time is over"


def test_the_way_back_begins_when_what_was_approved_no_longer_covers_it() -> None:
    now = in_force(covers_s=3_600.0, dollars=60.0)
    assert now.due_at == AT + 3_600
    assert advance(now, AT + 3_599, FREE).now.state == ACTIVE
    now = advance(now, AT + 3_600, FREE).now
    assert now.state == UNDOING
    assert now.back is not None
    assert now.back.why == "its spending was approved for 1 h"


def test_what_it_says_is_kept_and_one_without_conditions_keeps_its_hash() -> None:
    made = Scenario("rush", (A, HURRIED), lasts_s=60.0, early=CALM, covers_s=30.0)
    assert scenario_from_fields(made.fields()) == made
    plain = Scenario("rush", (A,)).fields()
    assert {"early", "covers_s", "rules"}.isdisjoint(plain)
    assert "when" not in plain["steps"][0]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_scenario_that_was_cancelled_does_not_say_that_it_goes_back_by_itself(
    cancelled: bool,
) -> None:
    now = in_force()
    if cancelled:
        now = replace(now, cancel=Deed("olga", "enough", AT))
    assert now.due_at is not None
    assert now.goes_back is not cancelled
    assert (run_told(now, {})["back_at"] is None) is cancelled
    text = messages.told(now).text
    assert ("Then it is taken back" in text) is not cancelled
    assert (f"`runbookd undo {now.id}` takes it back" in text) is cancelled
