"""A rule with `flapping` holds an alert that fires and resolves again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.alerts.flapping import Flapping, check_flapping, turned
from service.domain.decisions.decision import Decision, Verdict
from service.domain.decisions.requests import STEADIED
from service.domain.rules.matching import RuleIndex
from service.ports.admission import OnRecord, Sought
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import (
    COOLDOWN_S,
    CPU,
    GRACE_S,
    MEMORY,
    NOW,
    TRAFFIC,
    alert,
    delivery,
    resolved,
    rule_book,
)
from tests.fakes.journal import Desk, MemoryTransaction, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD
FOUR = Flapping(4, 600.0)


def desk(flapping: Flapping = FOUR) -> Desk:
    """Rules of which those about CPU hold what turns four times within ten minutes."""
    book = rule_book()
    rules = tuple(
        replace(rule, flapping=flapping) if rule.name == "high-cpu" else rule for rule in book.rules
    )
    steady = replace(book, rules=rules)
    return Desk(rules=RulesInForce(steady, RuleIndex(steady)))


def turn(stand: Desk, *at: float, name: str = CPU) -> list[Decision]:
    """The alert fires at the first of these times, resolves at the second, and so on; what was
    decided of its firing. The claim is free again each time."""
    decided = []
    for place, seconds in enumerate(at):
        for claim in stand.store.cooldowns:
            if not claim.startswith("held."):
                stand.store.rest(claim, NOW)
        one = resolved(name) if place % 2 else alert(name)
        (decision,) = stand.verdicts(delivery(one, at=NOW + seconds))
        decided += [] if place % 2 else [decision]
    return decided


@pytest.mark.parametrize(
    ("turns", "passed", "until"),
    [
        ((), True, None),
        ((-1.0,), True, None),
        ((-599.0, -400.0, -1.0), True, None),
        ((-599.0, -400.0, -200.0, -1.0), False, 1.0),
        ((-600.0, -400.0, -200.0, -1.0), True, None),
        ((-500.0, -400.0, -300.0, -200.0, -100.0), False, 200.0),
        ((-3.0, -2.0, -1.0, 60.0), True, None),
    ],
    ids=["never", "once", "too few", "often", "one is over", "the newest count", "not yet"],
)
def test_it_flaps_while_so_many_turns_lie_within_the_time_of_the_rule(
    turns: tuple[float, ...], passed: bool, until: float | None
) -> None:
    check = check_flapping([NOW + each for each in turns], FOUR, NOW)
    assert (check.guard, check.passed) == ("flapping", passed)
    assert check.until == (None if until is None else NOW + until)


def test_the_newest_turns_are_kept_in_order_also_when_the_clock_steps_back() -> None:
    assert turned((1.0, 2.0, 9.0), 8.0, 3) == (2.0, 8.0, 9.0)


def test_an_alert_that_turns_too_often_is_held_and_keeps_no_claim() -> None:
    stand = desk()
    decided = turn(stand, 0, 60, 90, 150, 180)
    assert [each.verdict for each in decided] == [ACT, ACT, HOLD]
    held = decided[-1]
    assert (held.guard, held.until) == ("flapping", NOW + 60 + 600)
    assert held.reason == (
        "it flaps: it has fired or resolved 4 times within 10 min, and the rule waits until "
        "2026-05-28 20:37:40Z for it to be steady"
    )
    assert stand.store.cooldowns["api.out"].generation == 2, "it keeps no claim"


def test_turns_within_the_refire_grace_count_though_the_episode_goes_on() -> None:
    stand = desk()
    assert GRACE_S > 30
    turn(stand, 0, 30, 60, 90, 120)
    assert len(stand.store.episodes) == 1
    assert not stand.store.superseded
    assert [each.guard for each in stand.store.decided()][-1] == "flapping"


def test_it_is_due_when_it_is_steady_and_is_then_acted_on() -> None:
    stand = desk()
    turn(stand, 0, 60, 90, 150, 180)
    (record,) = stand.store.episodes.values()
    assert record.due_at == NOW + 660
    stand.store.rest("api.out", NOW)
    kept = replace(delivery(alert(CPU)), kept_as=stand.store.deliveries[0])
    (early,) = stand.verdicts(kept, now=NOW + 659)
    assert early.guard == "flapping"
    (decision,) = stand.verdicts(kept, now=NOW + 660)
    assert decision.verdict is ACT
    assert saw(decision, "flapping").startswith("it has fired or resolved 3 times within 10 min")


def test_a_repeat_of_a_firing_alert_is_no_turn() -> None:
    stand = desk()
    for minute in range(8):
        stand.verdicts(delivery(alert(CPU), at=NOW + 60 * minute))
    assert set(stand.store.turns.values()) == {(NOW,)}


def test_a_replay_tells_nothing_of_how_often_an_alert_turns() -> None:
    stand = desk()
    for _ in range(5):
        stand.verdicts(delivery(alert(CPU), replay=True))
    assert not stand.store.turns


def test_another_alert_of_the_same_rule_is_not_held() -> None:
    stand = desk()
    turn(stand, 0, 60, 90, 150, 180)
    stand.store.rest("api.out", NOW)
    (decision,) = stand.verdicts(delivery(alert(CPU, "b"), at=NOW + 181))
    assert decision.verdict is ACT


def test_a_rule_without_the_key_keeps_no_turns_and_is_not_held() -> None:
    stand = desk()
    decided = turn(stand, 0, 60, 90, 150, 180, 200, 220, name=TRAFFIC)
    assert {each.verdict for each in decided} == {ACT}
    assert not stand.store.turns
    assert "flapping" not in {each.guard for each in decided[-1].checks}


def test_a_notification_without_such_a_rule_asks_the_record_for_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Sought] = []
    read = MemoryTransaction.read

    def noted(self: MemoryTransaction, ids: Any, claims: Any, more: Sought) -> OnRecord:
        asked.append(more)
        return read(self, ids, claims, more)

    monkeypatch.setattr(MemoryTransaction, "read", noted)
    stand = desk()
    stand.verdicts(delivery(alert(MEMORY)))
    stand.verdicts(delivery(alert(CPU)))
    (others, ours) = asked
    assert not others.turning
    assert len(ours.turning) == 1


def test_people_hear_once_per_cooldown_that_an_alert_flaps() -> None:
    stand = desk()
    turn(stand, 0, 60, 90, 150, 180)
    notices = [each.request for each in stand.store.runs.values() if each.request.on is None]
    (told,) = (each for each in notices if each.origin.by == STEADIED)
    assert told.cooldown_s == COOLDOWN_S
    assert told.origin.why.startswith("High CPU Usage. Rule high-cpu asks for horizontal_scale")
    assert "It is decided again in 8 min, at 20:37 UTC" in told.origin.why
    turn(stand, 240, 300, 330)
    again = [each.request.origin.by for each in stand.store.runs.values()].count(STEADIED)
    assert again == 1
