"""The budget guard, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.domain.decisions.budget import (
    HOLD,
    Addition,
    Budget,
    Spend,
    budget_from_json,
    check_budget,
    month_of,
)


def at(month: int, day: int, hour: int = 0) -> float:
    return datetime(2026, month, day, hour, tzinfo=UTC).timestamp()


FIRST = at(11, 1)
BUDGET = Budget(monthly=100.0, targets=("api", "worker-vm"))
KNOWN = (Spend("api", 24.0, FIRST), Spend("worker-vm", 24.0, FIRST))


@pytest.mark.parametrize(
    ("budget", "adds", "spends", "said"),
    [
        (BUDGET, Addition("api", 24.0, 76.0), KNOWN, "all targets will cost $100 of"),
        (BUDGET, Addition("api", 24.0, 76.01), KNOWN, "together would cost $100.01 a month"),
        (
            BUDGET,
            Addition("api", 24.0, 60.0),
            (KNOWN[0], Spend("worker-vm", 24.0, FIRST, reserved=24.0)),
            "together would cost $108 a month",
        ),
        (
            BUDGET,
            Addition("api", 24.0, 36.0),
            KNOWN[:1],
            "what worker-vm costs is not known yet",
        ),
        (
            BUDGET,
            Addition("api", 24.0, 36.0),
            (KNOWN[0], Spend("worker-vm", None, FIRST)),
            "what worker-vm costs is not known yet",
        ),
        (BUDGET, Addition("api", 24.0, None), KNOWN, "what api would cost is not known"),
        (BUDGET, Addition("api", 400.0, 300.0), KNOWN, "will cost no more than now"),
        (
            Budget(None, (("api", 60.0),)),
            Addition("api", 48.0, 72.0),
            KNOWN,
            "api would cost $72 a month, and its budget is $60",
        ),
        (
            Budget(None, (("api", 60.0),)),
            Addition("api", 48.0, 60.0),
            KNOWN,
            "api will cost $60 of its budget of $60 a month",
        ),
    ],
)
def test_what_a_change_adds_is_held_against_the_budget(
    budget: Budget, adds: Addition, spends: tuple[Spend, ...], said: str
) -> None:
    check = check_budget(budget, adds, spends, FIRST)
    assert check is not None
    assert said in check.saw
    assert check.passed == (" will " in check.saw)


def test_a_target_that_no_budget_covers_is_not_judged() -> None:
    adds = Addition("api", 24.0, 9_000.0)
    assert check_budget(None, adds, KNOWN, FIRST) is None
    assert check_budget(Budget(None, (("worker-vm", 1.0),)), adds, KNOWN, FIRST) is None


def test_what_was_spent_this_month_counts_too() -> None:
    half = at(11, 16)
    dear = (Spend("api", 24.0, half, accrued=150.0), KNOWN[1])
    check = check_budget(BUDGET, Addition("api", 24.0, 36.0), dear, half)
    assert check is not None
    assert not check.passed
    assert "this month would end at $192, and the budget is $100" in check.saw


def test_the_dollars_of_last_month_are_forgotten_in_the_next() -> None:
    spend = Spend("api", 30.0, at(11, 30), accrued=500.0)
    assert spend.this_month(at(12, 1)) == 0.0
    assert spend.this_month(at(12, 11)) == pytest.approx(30.0 * 10 / 31)


def test_a_month_costs_what_a_month_costs_however_often_it_is_looked_at() -> None:
    spend = Spend("api", 30.0, FIRST)
    for hour in range(1, 24 * 30):
        spend = spend.seen(30.0, FIRST + hour * 3_600.0)
    assert spend.this_month(at(12, 1) - 1) == pytest.approx(30.0, rel=1e-5)


def test_a_clock_that_steps_back_adds_nothing() -> None:
    spend = Spend("api", 30.0, at(11, 10), accrued=5.0)
    assert spend.this_month(at(11, 9)) == 5.0
    assert spend.seen(60.0, at(11, 9)).accrued == 5.0


def test_december_ends_with_the_year() -> None:
    assert month_of(at(12, 31, 23)) == (at(12, 1), datetime(2027, 1, 1, tzinfo=UTC).timestamp())


def test_a_budget_survives_being_pinned() -> None:
    budget = Budget(200.0, (("api", 120.0),), HOLD, ("api", "database"))
    assert budget_from_json(budget.to_json()) == budget
    assert budget_from_json(None) is None
