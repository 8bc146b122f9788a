"""How a scenario goes on: tables of what follows from what its runs have become."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.approval import ACT, APPROVED, REJECTED, Approval
from service.domain.decisions.planning import Plan
from service.domain.scenarios.going import (
    ACTIVE,
    CANCELLED,
    DONE,
    INCOMPLETE,
    PLANNING,
    REFUSED,
    RUNNING,
    UNDER_WAY,
    UNDOING,
    UNDONE,
    WAITING,
    Child,
    Deed,
    Facts,
    Role,
    ScenarioNow,
    StepNow,
    advance,
)
from service.domain.scenarios.scenarios import Scenario, Step

AT = 1_000_000.0
PLAN = Plan("replicas", "2", "8", ("update_app",), {}, price_before=24.0, price_after=96.0)
A = Step("a", "set_capacity", "api", restores=True)
B = Step("b", "set_capacity", "web", after=("a",), restores=True)
C = Step("c", "purge", "cdn", after=("b",))
FREE = Facts(lambda step, role: "")


def scenario(*steps: Step, **fields: object) -> ScenarioNow:
    made = replace(Scenario("rush", steps), **fields)  # type: ignore[arg-type]  # the test's own names
    now = tuple(StepNow(each) for each in steps)
    return ScenarioNow("rush.1", made, "olga", "a test", RUNNING, now)


def child(step: str, status: str, guard: str = "", *, wrote: bool = False) -> Child:
    return Child(f"rush.1.{step}.1", status, f"it is {status}", guard, PLAN, wrote)


def with_child(now: ScenarioNow, step: str, made: Child) -> ScenarioNow:
    steps = tuple(
        replace(each, state=UNDER_WAY, child=made) if each.step.id == step else each
        for each in now.steps
    )
    return replace(now, steps=steps)


def states(now: ScenarioNow) -> dict[str, str]:
    return {each.step.id: each.state for each in now.steps}


def test_only_what_comes_after_nothing_begins_first() -> None:
    following = advance(scenario(A, B, C), AT, FREE)
    assert following.begin == (("a", Role.FORWARD),)
    assert states(following.now) == {"a": "under way", "b": "pending", "c": "pending"}


@pytest.mark.parametrize(
    ("status", "guard", "state"),
    [
        ("queued", "", "under way"),
        ("running", "", "under way"),
        ("waiting", "", "under way"),
        ("succeeded", "", "done"),
        ("shadow", "", "done"),
        ("held", "already_there", "done"),
        ("held", "paused", "failed"),
        ("failed", "", "failed"),
        ("cancelled", "", "failed"),
    ],
)
def test_what_a_run_has_become_is_what_its_step_is(status: str, guard: str, state: str) -> None:
    now = with_child(scenario(A, B), "a", child("a", status, guard))
    assert states(advance(now, AT, FREE).now)["a"] == state


@pytest.mark.parametrize(
    ("status", "state"),
    [("queued", "under way"), ("running", "done"), ("succeeded", "done"), ("failed", "failed")],
)
def test_a_step_that_watches_is_done_once_it_watches(status: str, state: str) -> None:
    watch = Step("w", "watch", options={"for": "2h"})
    now = with_child(scenario(watch, A), "w", child("w", status))
    assert states(advance(now, AT, FREE).now)["w"] == state


@pytest.mark.parametrize(
    ("on_failure", "begins", "end"),
    [
        ("stop", (), INCOMPLETE),
        ("page", (("d", Role.FORWARD),), RUNNING),
        ("continue", (("b", Role.FORWARD), ("d", Role.FORWARD)), RUNNING),
        ("undo", (), UNDONE),
    ],
)
def test_what_follows_a_failure_is_what_the_step_says(
    on_failure: str, begins: tuple[tuple[str, Role], ...], end: str
) -> None:
    other = replace(C, id="d", after=())
    now = scenario(replace(A, on_failure=on_failure), B, C, other)
    now = with_child(now, "a", child("a", "failed"))
    following = advance(now, AT, FREE)
    assert following.begin == begins
    assert following.now.state == end
    assert bool(following.now.page) is (on_failure != "continue")


def test_what_holds_a_step_is_its_reason_and_nothing_begins() -> None:
    facts = Facts(lambda step, role: "api is paused" if step.id == "a" else "")
    following = advance(scenario(A, B), AT, facts)
    assert following.begin == ()
    assert following.now.steps[0].reason == "api is paused"


def test_a_step_that_wrote_before_it_failed_is_taken_back_too() -> None:
    now = with_child(scenario(A), "a", child("a", "failed", wrote=True))
    now = replace(advance(now, AT, FREE).now, back=Deed("olga", "over", AT), state=UNDOING)
    assert advance(now, AT, FREE).begin == (("a", Role.BACK),)


def test_what_wrote_nothing_is_not_taken_back() -> None:
    now = with_child(scenario(A), "a", child("a", "failed"))
    now = replace(advance(now, AT, FREE).now, back=Deed("olga", "over", AT), state=UNDOING)
    following = advance(now, AT, FREE)
    assert (following.begin, following.now.state) == ((), UNDONE)


def test_the_way_back_waits_for_what_is_under_way_and_begins_with_the_last() -> None:
    now = with_child(scenario(A, B), "a", child("a", "succeeded"))
    now = with_child(advance(now, AT, FREE).now, "b", child("b", "running"))
    now = replace(now, back=Deed("olga", "over", AT))
    assert advance(now, AT, FREE).begin == ()
    now = with_child(now, "b", child("b", "succeeded"))
    following = advance(now, AT, FREE)
    assert following.now.state == UNDOING
    assert following.begin == (("b", Role.BACK),)


def test_a_cancel_lets_what_is_under_way_end_and_leaves_the_rest_out() -> None:
    now = with_child(scenario(A, B), "a", child("a", "running"))
    now = replace(now, cancel=Deed("olga", "a false alarm", AT))
    following = advance(now, AT, FREE)
    assert states(following.now) == {"a": "under way", "b": "left out"}
    now = with_child(following.now, "a", child("a", "succeeded"))
    assert advance(now, AT, FREE).now.state == CANCELLED


@pytest.mark.parametrize(
    ("fields", "hours"),
    [
        ({"lasts_s": 7_200.0}, 2.0),
        ({"dollars": 0.72}, 7.3),
        ({"lasts_s": 7_200.0, "dollars": 0.72}, 2.0),
        ({"lasts_s": 72_000.0, "dollars": 0.72}, 7.3),
    ],
)
def test_it_is_in_force_for_its_time_or_until_its_dollars_are_spent(
    fields: dict[str, float], hours: float
) -> None:
    """72 dollars a month are 9.86 cents an hour."""
    now = replace(scenario(A, **fields), began_at=AT)
    now = advance(with_child(now, "a", child("a", "succeeded")), AT + 60, FREE).now
    assert now.state == ACTIVE
    assert now.due_at == pytest.approx(AT + hours * 3_600)


def test_a_scenario_without_an_end_is_done() -> None:
    now = with_child(scenario(A), "a", child("a", "succeeded"))
    assert advance(now, AT, FREE).now.state == DONE


def planned(now: ScenarioNow) -> ScenarioNow:
    steps = tuple(replace(each, plan=child(each.step.id, "shadow")) for each in now.steps)
    return replace(now, state=PLANNING, steps=steps)


@pytest.mark.parametrize(
    ("above", "step", "state"),
    [(100.0, A, RUNNING), (50.0, A, WAITING), (0.0, A, WAITING), (50.0, "confirmed", RUNNING)],
)
def test_the_dollars_decide_whether_it_is_asked_but_for_what_is_confirmed_by_itself(
    above: float, step: Step | str, state: str
) -> None:
    made = replace(A, confirm=True) if step == "confirmed" else A
    now = planned(scenario(made, approval=Approval(), above=above))
    assert advance(now, AT, FREE).now.state == state


def test_a_step_that_takes_its_target_down_is_asked_whatever_it_costs() -> None:
    now = planned(scenario(A, approval=Approval(), above=100.0))
    asked = advance(now, AT, replace(FREE, disruptive=("a",))).now
    assert (asked.state, asked.reason) == (WAITING, "step a takes its target down for a while")


def waiting(terms: Approval) -> ScenarioNow:
    return advance(planned(scenario(A, approval=terms)), AT, replace(FREE, plan_hash="h1")).now


@pytest.mark.parametrize(
    ("terms", "decided", "later_s", "state"),
    [
        (Approval(), None, 60.0, WAITING),
        (Approval(), Deed("paul", "", AT, REJECTED), 60.0, REFUSED),
        (Approval(), Deed("paul", "", AT, APPROVED), 60.0, PLANNING),
        (Approval(), None, 901.0, REFUSED),
        (Approval(otherwise=ACT), None, 901.0, PLANNING),
    ],
)
def test_an_approval_is_decided_by_a_person_or_by_its_time(
    terms: Approval, decided: Deed | None, later_s: float, state: str
) -> None:
    now = replace(waiting(terms), decided=decided)
    following = advance(now, AT + later_s, FREE)
    assert following.now.state == state
    # What was approved is planned once more.
    assert following.begin == ((("a", Role.PLAN),) if state == PLANNING else ())


@pytest.mark.parametrize(("plan_hash", "state"), [("h1", RUNNING), ("h2", WAITING)])
def test_only_the_plan_that_was_approved_is_carried_out(plan_hash: str, state: str) -> None:
    now = replace(waiting(Approval()), decided=Deed("paul", "", AT, APPROVED))
    now = planned(advance(now, AT, FREE).now)
    assert advance(now, AT, replace(FREE, plan_hash=plan_hash)).now.state == state


@pytest.mark.parametrize(("by_person", "begins"), [(False, ()), (True, (("a", Role.BACK),))])
def test_a_way_back_of_its_own_waits_while_an_alert_asks_for_more(
    by_person: bool, begins: tuple[tuple[str, Role], ...]
) -> None:
    now = with_child(scenario(A), "a", child("a", "succeeded"))
    back = Deed("runbookd", "its time is over", AT, by_person=by_person)
    now = replace(advance(now, AT, FREE).now, state=UNDOING, back=back)
    following = advance(now, AT, replace(FREE, asking="High CPU Usage"))
    assert (following.begin, following.now.state) == (begins, UNDOING)


@pytest.mark.parametrize("suspended", [False, True])
def test_what_an_emergency_has_suspended_is_not_taken_back_by_itself(suspended: bool) -> None:
    now = with_child(scenario(A, lasts_s=60.0), "a", child("a", "succeeded"))
    now = advance(now, AT, FREE).now
    assert now.state == ACTIVE
    if suspended:
        now = replace(now, cancel=Deed("emergency.1", "all is down", AT + 30))
    later = advance(now, AT + 61, FREE)
    assert later.now.state == (ACTIVE if suspended else UNDOING)
    by_hand = Deed("olga", "it is over", AT + 70)
    assert advance(replace(later.now, back=by_hand), AT + 71, FREE).now.state == UNDOING
