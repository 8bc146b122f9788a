"""Pauses, locks and freeze windows hold changes; what they held is judged again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.decisions.controls import LOCK, PAUSE, Control
from service.domain.decisions.decision import Verdict
from service.domain.decisions.policy import OFF, SHADOW, Freeze, Policy
from service.domain.decisions.requests import HELD, SHADOWED
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import RuleBook
from service.domain.windows import Window
from service.ports.admission import Delivery
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import CPU, ERRORS, MEMORY, NOW, OTHER, alert, delivery, resolved, rule_book
from tests.fakes.journal import Desk, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD
UNTIL = NOW + 1_800


def pause(**scope: Any) -> Control:
    return Control("p-1", PAUSE, "anna", "the vendor is down", NOW - 60, UNTIL, **scope)


def desk_with(*controls: Control, book: RuleBook | None = None) -> Desk:
    desk = Desk(rules=RulesInForce(book, RuleIndex(book)) if book else None)
    desk.store.controls.extend(controls)
    return desk


def with_policy(policy: Policy, *names: str) -> RuleBook:
    """The book of tests, with this policy for the rules of these names."""
    book = rule_book()
    rules = tuple(
        replace(rule, policy=policy) if rule.name in names else rule for rule in book.rules
    )
    return replace(book, rules=rules)


def again(desk: Desk) -> Delivery:
    """What a worker judges again: the alert as it was kept."""
    return replace(delivery(alert(CPU)), kept_as=desk.store.deliveries[0])


def test_a_pause_holds_a_change_takes_no_claim_and_says_who_why_and_until_when() -> None:
    desk = desk_with(pause())
    (decision,) = desk.verdicts(delivery(alert(CPU)))
    assert (decision.verdict, decision.guard, decision.until) == (HOLD, "paused", UNTIL)
    assert decision.reason == (
        "every target is paused until 2026-05-28 20:56:40Z by anna: the vendor is down"
    )
    assert "api.out" not in desk.store.cooldowns


@pytest.mark.parametrize(
    ("scope", "verdict"),
    [
        ({"target": "api"}, HOLD),
        ({"target": "worker-vm"}, ACT),
        ({"rule": "high-cpu"}, HOLD),
        ({"rule": "traffic"}, ACT),
        ({"direction": "out"}, HOLD),
        ({"direction": "up"}, ACT),
        ({"action": "horizontal_scale"}, HOLD),
        ({"target": "api", "direction": "up"}, ACT),
    ],
)
def test_a_pause_holds_what_it_covers_and_nothing_else(
    scope: dict[str, str], verdict: Verdict
) -> None:
    (decision,) = desk_with(pause(**scope)).verdicts(delivery(alert(CPU)))
    assert decision.verdict is verdict


@pytest.mark.parametrize(("at", "verdict"), [(UNTIL - 1, HOLD), (UNTIL, ACT)])
def test_a_pause_holds_until_its_end_also_before_anybody_has_ended_it(
    at: float, verdict: Verdict
) -> None:
    (decision,) = desk_with(pause()).verdicts(delivery(alert(CPU), at=at))
    assert decision.verdict is verdict


def test_a_page_and_a_message_are_held_by_no_pause() -> None:
    decisions = desk_with(pause()).verdicts(delivery(alert(ERRORS), alert(OTHER)))
    assert [decision.verdict for decision in decisions] == [ACT, ACT]


def test_a_lock_holds_what_runbookd_would_change_by_itself() -> None:
    lock = replace(pause(target="api"), kind=LOCK)
    (decision,) = desk_with(lock).verdicts(delivery(alert(CPU)))
    assert (decision.verdict, decision.guard) == (HOLD, "person_lock")


def test_a_freeze_window_holds_until_it_closes() -> None:
    window = Window(start=20 * 60, end=21 * 60)  # NOW is 20:26:40
    book = with_policy(Policy(freezes=(Freeze(window, why="the exam"),)), "high-cpu")
    (decision,) = desk_with(book=book).verdicts(delivery(alert(CPU)))
    assert (decision.verdict, decision.guard) == (HOLD, "frozen")
    assert decision.until == NOW + 33 * 60 + 20
    assert decision.reason.endswith("by the rules: the exam")


def test_an_act_shows_that_no_pause_and_no_lock_held_it() -> None:
    (decision,) = desk_with(pause(target="worker-vm")).verdicts(delivery(alert(CPU)))
    assert saw(decision, "paused") == "no pause covers api"
    assert saw(decision, "person_lock") == "nobody else has locked api"


def test_people_hear_once_an_hour_that_a_pause_holds_an_alert() -> None:
    desk = desk_with(replace(pause(), until=NOW + 9_000))
    desk.admit(delivery(alert(CPU), alert(CPU, "b")))
    (run,) = desk.store.runs.values()
    assert (run.request.origin.by, run.request.subject, run.request.cooldown_s) == (HELD, "", 3_600)
    assert "every target is paused" in run.request.origin.why
    desk.store.rest("held.api.out", NOW + 3_600)
    desk.admit(delivery(alert(CPU), at=NOW + 60))
    assert len(desk.store.runs) == 1


# ---- Judged again ----


def episode_due(desk: Desk) -> float | None:
    (record,) = desk.store.episodes.values()
    return record.due_at


def test_what_a_pause_holds_is_due_when_the_pause_ends() -> None:
    desk = desk_with(pause())
    desk.admit(delivery(alert(CPU)))
    assert episode_due(desk) == UNTIL


def test_what_a_cooldown_holds_waits_for_its_sender() -> None:
    desk = Desk()
    desk.admit(delivery(alert(CPU)))
    desk.store.rest("api.out", NOW + 600)
    desk.admit(delivery(alert(CPU), at=NOW + 60))
    assert episode_due(desk) is None


def test_an_alert_that_still_fires_acts_when_it_is_judged_again() -> None:
    desk = desk_with(pause())
    desk.admit(delivery(alert(CPU)))
    desk.store.controls.clear()
    (decision,) = desk.verdicts(again(desk), now=NOW + 100)
    assert decision.verdict is ACT
    run = desk.store.runs["api.out.1"].request
    assert run.origin.needs_alert, "it stands only while its alert fires"
    assert episode_due(desk) is None


def test_to_be_judged_again_is_no_sign_that_the_alert_still_fires() -> None:
    desk = desk_with(pause())
    desk.admit(delivery(alert(CPU)))
    (record,) = desk.store.episodes.values()
    before, seen, deliveries = (
        record.last_seen,
        dict(desk.store.times_seen),
        [*desk.store.deliveries],
    )
    desk.admit(again(desk), now=UNTIL)
    (record,) = desk.store.episodes.values()
    assert (record.last_seen, desk.store.times_seen) == (before, seen)
    assert desk.store.deliveries == deliveries


def test_an_alert_that_has_resolved_meanwhile_is_not_judged_again() -> None:
    desk = desk_with(pause())
    desk.admit(delivery(alert(CPU)))
    desk.admit(delivery(resolved(CPU), at=NOW + 10))
    desk.store.controls.clear()
    assert desk.verdicts(again(desk), now=NOW + 20) == []
    assert "api.out" not in desk.store.cooldowns
    assert episode_due(desk) is None


def test_what_is_held_by_the_next_pause_is_due_when_that_ends() -> None:
    desk = desk_with(pause(), replace(pause(target="api"), id="p-2", until=UNTIL + 600))
    desk.admit(delivery(alert(CPU)))
    assert episode_due(desk) == UNTIL + 600


# ---- Modes ----


def test_a_rule_that_is_off_is_not_there_and_matching_goes_on() -> None:
    book = with_policy(Policy(OFF), "high-cpu")
    (decision,) = desk_with(book=book).verdicts(delivery(alert(CPU)))
    assert decision.rule == "unmatched"


def test_a_rule_in_shadow_has_claims_of_its_own_and_uses_up_nothing() -> None:
    book = with_policy(Policy(SHADOW), "high-cpu")
    desk = desk_with(book=book)
    (decision,) = desk.verdicts(delivery(alert(CPU)))
    assert (decision.verdict, decision.run) == (ACT, "shadow.api.out.1")
    assert "api.out" not in desk.store.cooldowns
    assert desk.store.runs["shadow.api.out.1"].request.policy.mode == SHADOW


def test_a_rule_in_shadow_that_pages_tells_whom_it_would_have_paged() -> None:
    desk = desk_with(book=with_policy(Policy(SHADOW), "errors"))
    desk.admit(delivery(alert(ERRORS)))
    (run,) = desk.store.runs.values()
    assert (run.request.action, run.request.origin.by) == ("investigate", SHADOWED)
    assert "would have paged the person on call" in run.request.origin.why
    assert desk.store.incidents == {}


def test_other_rules_act_beside_a_rule_in_shadow() -> None:
    desk = desk_with(book=with_policy(Policy(SHADOW), "high-cpu"))
    desk.admit(delivery(alert(CPU), alert(MEMORY)))
    assert set(desk.store.runs) == {"shadow.api.out.1", "worker-vm.up.1"}
