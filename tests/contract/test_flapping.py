"""Turns of alerts on both databases: kept with the batch, read in its one round trip."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.alerts.flapping import Flapping
from service.domain.decisions.decision import Verdict
from service.domain.rules.matching import RuleIndex
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk, all_at_once
from tests.fakes.alerts import CPU, MEMORY, NOW, alert, delivery, resolved, rule_book


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    """Rules of which those about CPU hold what turns four times within ten minutes."""
    book = rule_book()
    rules = tuple(
        replace(rule, flapping=Flapping(4, 600.0)) if rule.name == "high-cpu" else rule
        for rule in book.rules
    )
    steady = replace(book, rules=rules)
    return SqlDesk(engine, rules=RulesInForce(steady, RuleIndex(steady)))


def _turn(desk: SqlDesk) -> None:
    for at, one in ((0, alert(CPU)), (150, resolved(CPU)), (280, alert(CPU)), (300, resolved(CPU))):
        desk.admit(delivery(one, at=NOW + at))


def test_what_turned_four_times_is_held_until_it_is_steady_and_is_due_then(desk: SqlDesk) -> None:
    _turn(desk)
    desk.rest("api.out", NOW)
    (held,) = desk.verdicts(delivery(alert(CPU), at=NOW + 310))
    assert (held.verdict, held.guard, held.until) == (Verdict.HOLD, "flapping", NOW + 750)
    assert desk.rows("SELECT due_at FROM alerts WHERE open") == [(NOW + 750,)]
    assert desk.rows("SELECT count(*) FROM alert_turns") == [(1,)]
    (steady,) = desk.verdicts(delivery(alert(CPU), at=NOW + 750))
    assert steady.verdict is Verdict.ACT


def test_an_alert_of_another_rule_leaves_no_turns(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(MEMORY)))
    desk.admit(delivery(resolved(MEMORY), at=NOW + 1))
    assert desk.count("alert_turns") == 0


def test_of_batches_at_the_same_moment_each_turn_is_counted_once(desk: SqlDesk) -> None:
    firing = [delivery(alert(CPU), at=NOW) for _ in range(4)]
    all_at_once([lambda each=each: desk.admit(each) for each in firing])  # type: ignore[misc]
    ends = [delivery(resolved(CPU), at=NOW + 10) for _ in range(4)]
    all_at_once([lambda each=each: desk.admit(each) for each in ends])  # type: ignore[misc]
    assert desk.rows("SELECT turns FROM alert_turns") == [(f"[{NOW},{NOW + 10}]",)]
