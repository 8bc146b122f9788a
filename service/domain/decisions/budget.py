"""The budget guard: whether what a change adds to the bill is still allowed.

Spend is what the targets cost now, by their vendors' prices, with what runs under way have
reserved. A budget holds additions only, and never takes capacity away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.domain.decisions.decision import Check

BUDGET = "budget"
"""The guard that holds what the budget does not allow."""
ASK, PAGE, HOLD = "approve", "page", "hold"
OVER = (ASK, PAGE, HOLD)
"""What follows when a change does not fit."""
_CENT = 0.005
"""Sums of prices that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Dollars a month that the targets may cost.

    `monthly` is for all of `targets` together, None where only single targets have one.
    `per_target` holds pairs of a target and its dollars a month. `over` says what follows where a
    change does not fit: a person is asked, a person is paged, or it is only held.
    """

    monthly: float | None = None
    per_target: tuple[tuple[str, float], ...] = ()
    over: str = ASK
    targets: tuple[str, ...] = ()

    def of(self, target: str) -> float | None:
        """What one target may cost, in dollars a month; None where only the sum is bounded."""
        return dict(self.per_target).get(target)

    def covers(self, target: str) -> bool:
        """Whether it says anything of a target."""
        return self.of(target) is not None or (self.monthly is not None and target in self.targets)

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {
            "monthly": self.monthly,
            "per_target": dict(self.per_target),
            "over": self.over,
            "targets": list(self.targets),
        }


def budget_from_json(fields: Mapping[str, Any] | None) -> Budget | None:
    """What `to_json` wrote; None where there was no budget."""
    if fields is None:
        return None
    return Budget(
        fields["monthly"],
        tuple(fields["per_target"].items()),
        fields["over"],
        tuple(fields["targets"]),
    )


@dataclass(frozen=True, slots=True)
class Spend:
    """What one target costs, as far as it is known.

    `dollars_month` is what it cost when it was last seen, at `seen_at` (seconds since the epoch),
    None where its price is not known. `accrued` is what it had cost in that month until then, in
    dollars, counted from when it was first seen. `reserved` is what a run under way adds to it, in
    dollars a month.
    """

    target: str
    dollars_month: float | None
    seen_at: float
    accrued: float = 0.0
    reserved: float = 0.0

    def this_month(self, now: float) -> float:
        """Dollars that it has cost in the month of `now` (UTC) until then."""
        begin, end = month_of(now)
        rate = (self.dollars_month or 0.0) / (end - begin)
        if self.seen_at < begin:
            return rate * (now - begin)
        return self.accrued + rate * max(0.0, now - self.seen_at)

    def seen(self, dollars_month: float | None, now: float) -> Spend:
        """The same target as it is seen at `now`."""
        at = max(now, self.seen_at)
        return Spend(self.target, dollars_month, at, self.this_month(at), self.reserved)


@dataclass(frozen=True, slots=True)
class Addition:
    """What a plan would make of the cost of one target, in dollars a month; None: not known."""

    target: str
    before: float | None
    after: float | None


def month_of(now: float) -> tuple[float, float]:
    """The first second of the month of an instant, and of the next month (UTC)."""
    at = datetime.fromtimestamp(now, UTC)
    begin = datetime(at.year, at.month, 1, tzinfo=UTC)
    end = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    return begin.timestamp(), end.timestamp()


def check_budget(
    budget: Budget | None, adds: Addition, spends: Sequence[Spend], now: float
) -> Check | None:
    """The budget guard; None where no budget covers the target.

    `spends` are all targets that were ever seen, with what other runs have reserved.
    """
    if budget is None or not budget.covers(adds.target):
        return None
    if adds.before is not None and adds.after is not None and adds.after <= adds.before + _CENT:
        return Check(BUDGET, passed=True, saw=f"{adds.target} will cost no more than now")
    saw = _unknown(budget, adds, spends) or _too_much(budget, adds, spends, now)
    if saw:
        return Check(BUDGET, passed=False, saw=saw)
    return Check(BUDGET, passed=True, saw=_fits(budget, adds, spends))


def _unknown(budget: Budget, adds: Addition, spends: Sequence[Spend]) -> str:
    """What price is missing, so that nobody can tell whether the change fits."""
    if adds.after is None:
        return f"what {adds.target} would cost is not known, so nobody can tell whether it fits"
    if budget.monthly is None:
        return ""
    known = {each.target for each in spends if each.dollars_month is not None}
    missing = [each for each in budget.targets if each != adds.target and each not in known]
    if not missing:
        return ""
    return (
        f"what {', '.join(missing)} {'costs' if len(missing) == 1 else 'cost'} is not known yet, "
        f"so nobody can tell whether this fits the budget of {_dollars(budget.monthly)} a month"
    )


def _too_much(budget: Budget, adds: Addition, spends: Sequence[Spend], now: float) -> str:
    after, own = adds.after or 0.0, budget.of(adds.target)
    if own is not None and after > own + _CENT:
        return (
            f"{adds.target} would cost {_dollars(after)} a month, and its budget is {_dollars(own)}"
        )
    if budget.monthly is None:
        return ""
    rate = _rate(budget, adds, spends)
    if rate > budget.monthly + _CENT:
        return (
            f"all targets together would cost {_dollars(rate)} a month, and the budget is "
            f"{_dollars(budget.monthly)}"
        )
    begin, end = month_of(now)
    counted = [each for each in spends if each.target in budget.targets]
    by_end = sum(each.this_month(now) for each in counted) + rate * (end - now) / (end - begin)
    if by_end > budget.monthly + _CENT:
        return (
            f"this month would end at {_dollars(by_end)}, and the budget is "
            f"{_dollars(budget.monthly)}"
        )
    return ""


def _rate(budget: Budget, adds: Addition, spends: Sequence[Spend]) -> float:
    """Dollars a month of all counted targets after the change, reservations included."""
    others = [
        each for each in spends if each.target in budget.targets and each.target != adds.target
    ]
    return (adds.after or 0.0) + sum((each.dollars_month or 0.0) + each.reserved for each in others)


def _fits(budget: Budget, adds: Addition, spends: Sequence[Spend]) -> str:
    if budget.monthly is None:
        own = budget.of(adds.target) or 0.0
        return (
            f"{adds.target} will cost {_dollars(adds.after or 0.0)} of its budget of "
            f"{_dollars(own)} a month"
        )
    rate = _dollars(_rate(budget, adds, spends))
    return f"all targets will cost {rate} of the budget of {_dollars(budget.monthly)} a month"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}".removesuffix(".00")
