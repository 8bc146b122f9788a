"""A rule with `for` waits until the alert has fired for so long, and needs no new notification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.decisions.decision import Verdict
from service.domain.rules.matching import RuleIndex
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import CPU, NOW, alert, delivery, rule_book
from tests.fakes.journal import Desk

ACT, HOLD = Verdict.ACT, Verdict.HOLD
WAITS_S = 120


def desk() -> Desk:
    """Rules of which those about CPU wait for two minutes."""
    book = rule_book()
    rules = tuple(
        replace(rule, after=timedelta(seconds=WAITS_S)) if rule.name == "high-cpu" else rule
        for rule in book.rules
    )
    waiting = replace(book, rules=rules)
    return Desk(rules=RulesInForce(waiting, RuleIndex(waiting)))


def since(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@pytest.mark.parametrize(
    ("fires_for", "verdict", "until"),
    [
        (0, HOLD, NOW + 120),
        (119, HOLD, NOW + 1),
        (120, ACT, None),
        (-3_600, HOLD, NOW + 120),
    ],
    ids=["just now", "a second too short", "long enough", "its sender's clock is ahead"],
)
def test_an_alert_is_held_until_it_has_fired_for_as_long_as_its_rule_asks(
    fires_for: float, verdict: Verdict, until: float | None
) -> None:
    stand = desk()
    (decision,) = stand.verdicts(delivery(alert(CPU, starts_at=since(NOW - fires_for))))
    assert decision.verdict is verdict
    if verdict is HOLD:
        assert (decision.guard, decision.until) == ("young", until)
        assert "api.out" not in stand.store.cooldowns, "it keeps no claim"


def test_an_alert_that_does_not_say_since_when_is_not_held() -> None:
    (decision,) = desk().verdicts(delivery(alert(CPU)))
    assert decision.verdict is ACT


def test_it_is_due_when_the_time_has_come_and_is_then_acted_on() -> None:
    stand = desk()
    young = delivery(alert(CPU, starts_at=since(NOW)))
    stand.verdicts(young)
    (record,) = stand.store.episodes.values()
    assert record.due_at == NOW + WAITS_S
    kept = replace(young, kept_as=stand.store.deliveries[0], received_at=NOW + WAITS_S)
    (decision,) = stand.verdicts(kept)
    assert decision.verdict is ACT


def test_what_waits_is_not_told_as_held_by_people() -> None:
    stand = desk()
    stand.verdicts(delivery(alert(CPU, starts_at=since(NOW))))
    assert not stand.store.runs
