"""A rule that has demoted itself is asked in the more careful mode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.decision import Verdict
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.expected import Expected, Slo
from service.domain.decisions.policy import APPROVE, SHADOW, Policy
from service.domain.rules.matching import RuleIndex
from service.ports.admission import Sought
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import COOLDOWN_S, CPU, MEMORY, NOW, TRAFFIC, alert, delivery, rule_book
from tests.fakes.journal import Desk, MemoryTransaction, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD
WHY = "6 of the last 10 changes have cleared their alerts, and its slo asks for 0.8 of them"


def desk(mode: str | None = None) -> Desk:
    """A rule about CPU with an slo, demoted to this mode."""
    book = rule_book()
    policy = Policy(expected=Expected(600.0, slo=Slo(0.8, 10)))
    rules = tuple(
        replace(rule, policy=policy) if rule.name == "high-cpu" else rule for rule in book.rules
    )
    with_slo = replace(book, rules=rules)
    stand = Desk(rules=RulesInForce(with_slo, RuleIndex(with_slo)))
    if mode is not None:
        stand.store.demotions["high-cpu"] = Demotion("m-1", "high-cpu", mode, NOW - 60, WHY)
    return stand


def test_a_rule_that_is_not_demoted_acts_and_shows_nothing_of_it() -> None:
    stand = desk()
    (decision,) = stand.verdicts(delivery(alert(CPU)))
    (run,) = stand.store.runs.values()
    assert (decision.verdict, run.request.policy.mode) == (ACT, "act")
    assert "demoted" not in {each.guard for each in decision.checks}


def test_a_rule_demoted_to_approve_has_its_run_ask_on_the_same_claim() -> None:
    stand = desk(APPROVE)
    (decision,) = stand.verdicts(delivery(alert(CPU)))
    (run,) = stand.store.runs.values()
    assert (decision.verdict, run.request.id) == (ACT, "api.out.1")
    assert (run.request.policy.mode, run.request.policy.demoted) == (APPROVE, True)
    assert saw(decision, "demoted") == (
        f"rule high-cpu has demoted itself to mode approve at 2026-05-28 20:25:40Z: {WHY}"
    )


def test_a_rule_demoted_to_shadow_uses_up_nothing_of_its_target() -> None:
    stand = desk(SHADOW)
    stand.verdicts(delivery(alert(CPU)))
    (run,) = stand.store.runs.values()
    assert (run.request.id, run.request.claim) == ("shadow.api.out.1", "shadow.api.out")
    assert (run.request.policy.mode, run.request.policy.demoted) == (SHADOW, True)
    (other,) = stand.verdicts(delivery(alert(TRAFFIC), at=NOW + 1))
    assert (other.verdict, other.run) == (ACT, "api.out.1")


def test_its_cooldown_in_shadow_is_its_own_and_holds() -> None:
    stand = desk(SHADOW)
    stand.verdicts(delivery(alert(CPU)))
    stand.store.rest("shadow.api.out", NOW + COOLDOWN_S)
    (held,) = stand.verdicts(delivery(alert(CPU), at=NOW + 60))
    assert (held.verdict, held.guard, held.until) == (HOLD, "cooldown", NOW + COOLDOWN_S)
    (again,) = stand.verdicts(delivery(alert(CPU), at=NOW + COOLDOWN_S))
    assert again.run == "shadow.api.out.2"
    told = [run for run in stand.store.runs if run.startswith("held.shadow.api.out")]
    assert len(told) == 1, "the hold is told once"


@pytest.mark.parametrize("mode", [APPROVE, SHADOW])
def test_a_replay_is_made_by_the_rule_as_it_is_in_force(mode: str) -> None:
    stand = desk(mode)
    stand.verdicts(delivery(alert(CPU), replay=True))
    (run,) = stand.store.runs.values()
    assert run.request.policy.mode == mode


def test_a_notification_without_such_a_rule_does_not_ask_for_demotions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Sought] = []
    read = MemoryTransaction.read

    def noted(self: MemoryTransaction, *given: object) -> object:
        asked.extend(each for each in given if isinstance(each, Sought))
        return read(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryTransaction, "read", noted)
    stand = desk(APPROVE)
    stand.verdicts(delivery(alert(MEMORY)))
    stand.verdicts(delivery(alert(CPU)))
    assert [each.demotions for each in asked] == [False, True]
