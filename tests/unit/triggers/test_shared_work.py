"""In a storm thousands of alerts ask for the same: what is said of one is said of all, and found
out once. Alerts that differ in anything that a guard looks at are judged apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.alerts.alert import AlertStatus
from service.domain.decisions import guards
from service.domain.decisions.decision import Check, Verdict
from service.domain.decisions.guards import ARRIVAL_GUARDS, PAGE_GUARDS, Guard
from service.domain.rules.matching import RuleIndex
from service.store.encode import dump
from service.store.rows import CheckEncoder
from service.triggers.alerts import verdicts
from service.triggers.alerts.candidates import RulesInForce, match_delivery
from tests.fakes.alerts import CPU, ERRORS, NOW, SLOW, alert, delivery, rule_book, rules_in_force
from tests.fakes.journal import Desk

HOLD, ACT = Verdict.HOLD, Verdict.ACT
WAITS_S = 120


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each guard is asked of a change or of a page, while the test runs."""
    counted: Counter[str] = Counter()

    def counting(guard: Guard[guards.Facts]) -> Guard[guards.Facts]:
        def judge(facts: guards.Facts) -> Check | None:
            counted[guard.name] += 1
            return guard.judge(facts)

        return replace(guard, judge=judge)

    monkeypatch.setattr(verdicts, "ARRIVAL_GUARDS", tuple(map(counting, ARRIVAL_GUARDS)))
    monkeypatch.setattr(verdicts, "PAGE_GUARDS", tuple(map(counting, PAGE_GUARDS)))
    return counted


def test_a_storm_of_alerts_that_are_held_asks_each_guard_once(asked: Counter[str]) -> None:
    desk = Desk()
    desk.admit(delivery(alert(CPU, fingerprint="first")))
    asked.clear()
    storm = [delivery(alert(CPU, fingerprint=f"{number}")) for number in range(50)]
    decisions = [each.decision for receipt in desk.admit(*storm) for each in receipt.verdicts]
    assert [each.verdict for each in decisions] == [HOLD] * 50
    assert asked == {guard.name: 1 for guard in ARRIVAL_GUARDS}
    assert len(set(map(id, decisions))) == 1, "one decision is made for all of them"


def test_a_group_of_alerts_that_are_paged_already_asks_each_guard_once(
    asked: Counter[str],
) -> None:
    desk = Desk()
    group = delivery(*(alert(ERRORS, fingerprint=f"{number}") for number in range(50)))
    desk.admit(group)
    for incident in desk.store.incidents.values():
        incident.paged = True
    asked.clear()
    decisions = desk.verdicts(group)
    assert [(each.verdict, each.guard) for each in decisions] == [(HOLD, "paged")] * 50
    assert asked == {guard.name: 1 for guard in PAGE_GUARDS}


def test_alerts_of_one_batch_that_differ_are_judged_apart() -> None:
    """Firing and resolved, old enough and young, measured and not: each by its own facts."""
    book = rule_book()
    waiting = replace(
        book,
        rules=tuple(
            replace(rule, after=timedelta(seconds=WAITS_S)) if rule.name == "high-cpu" else rule
            for rule in book.rules
        ),
    )
    desk = Desk(rules=RulesInForce(waiting, RuleIndex(waiting)))
    since = [datetime.fromtimestamp(NOW - fires_for, UTC) for fires_for in (10, 20, WAITS_S)]
    young, older, old = (
        alert(CPU, fingerprint=f"{number}", starts_at=at) for number, at in enumerate(since)
    )
    over = alert(CPU, fingerprint="over", starts_at=since[2], status=AlertStatus.RESOLVED)
    decisions = desk.verdicts(delivery(young, older, over, old))
    assert [(each.verdict, each.guard, each.until) for each in decisions] == [
        (HOLD, "young", NOW + WAITS_S - 10),
        (HOLD, "young", NOW + WAITS_S - 20),
        (HOLD, "resolved", None),
        (ACT, "cooldown", None),
    ]


def test_who_lost_a_claim_is_judged_again_by_what_it_lost_to() -> None:
    first, second = Desk().verdicts(
        delivery(alert(CPU, fingerprint="1"), alert(CPU, fingerprint="2"))
    )
    assert (first.verdict, first.run) == (ACT, "api.out.1")
    assert (second.verdict, second.reason) == (HOLD, "run api.out.1 is under way on api.out")


def test_alerts_share_what_they_ask_of_a_target_and_whom_their_group_tells() -> None:
    rules = rules_in_force()
    one, other = (
        match_delivery(
            delivery(
                *(alert(name, fingerprint=f"{group}{name}") for name in (CPU, CPU, SLOW, SLOW)),
                group_labels={"group": group},
            ),
            rules,
        )
        for group in ("one", "other")
    )
    api, same_api, slow, same_slow = (matched.candidates[0] for matched in one)
    assert api is same_api is other[0].candidates[0]
    assert slow is same_slow
    assert slow.claim != other[2].candidates[0].claim, "each group is told by itself"


def test_alerts_without_a_group_are_told_each_by_itself() -> None:
    told = match_delivery(
        delivery(*(alert(SLOW, fingerprint=number) for number in "12"), group_labels={}),
        rules_in_force(),
    )
    claims = {matched.candidates[0].claim for matched in told}
    assert len(claims) == 2


def test_each_tuple_of_checks_has_its_own_text() -> None:
    encode = CheckEncoder()
    for number in range(100):
        # Made and dropped, so that a later one may get the place of an earlier one in memory.
        checks = (Check("cooldown", passed=False, saw=f"saw {number}"),)
        assert encode(checks) == dump([checks[0].to_json()])
        del checks
