"""A rule with `give_up` makes no further change where so many in a row had no effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.decision import Verdict
from service.domain.decisions.expected import Expected
from service.domain.decisions.policy import Policy
from service.domain.rules.matching import RuleIndex
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import CPU, NOW, TRAFFIC, alert, delivery, rule_book
from tests.fakes.journal import Desk, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD
RUNS = ("api.out.1", "api.out.2", "api.out.3")


def desk(*runs: str) -> Desk:
    """A rule about CPU that gives up after three, of whose changes these had no effect."""
    book = rule_book()
    rules = tuple(
        replace(rule, policy=Policy(expected=Expected(600.0, 3)))
        if rule.name == "high-cpu"
        else rule
        for rule in book.rules
    )
    giving_up = replace(book, rules=rules)
    stand = Desk(rules=RulesInForce(giving_up, RuleIndex(giving_up)))
    stand.store.in_vain["high-cpu", "api"] = runs
    return stand


@pytest.mark.parametrize(("count", "verdict"), [(0, ACT), (2, ACT), (3, HOLD)])
def test_a_further_step_is_held_after_three_in_a_row_without_effect(
    count: int, verdict: Verdict
) -> None:
    stand = desk(*RUNS[:count])
    (decision,) = stand.verdicts(delivery(alert(CPU)))
    assert decision.verdict is verdict
    if verdict is HOLD:
        assert (decision.guard, decision.until) == ("no_effect", None)
        assert decision.reason == (
            "3 changes of api in a row had no effect (api.out.1, api.out.2, api.out.3), so the "
            "rule gives up until the alerts that asked for them have resolved"
        )
        assert "api.out" not in stand.store.cooldowns, "it keeps no claim"


def test_an_act_shows_how_many_had_no_effect() -> None:
    (decision,) = desk(*RUNS[:2]).verdicts(delivery(alert(CPU)))
    assert saw(decision, "no_effect") == (
        "api.out.1, api.out.2 had no effect; the rule gives up after 3 in a row"
    )


def test_another_rule_may_still_change_the_same_target() -> None:
    (decision,) = desk(*RUNS).verdicts(delivery(alert(TRAFFIC)))
    assert decision.verdict is ACT
    assert "no_effect" not in {each.guard for each in decision.checks}


def test_what_is_held_is_not_told_once_more_beside_the_page() -> None:
    stand = desk(*RUNS)
    stand.verdicts(delivery(alert(CPU), at=NOW))
    assert not stand.store.runs
