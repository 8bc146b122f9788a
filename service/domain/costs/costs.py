"""What a month costs: what the vendor has booked, what runs now, and what both come to.

All amounts are dollars, as Decimal. A price that nobody knows is None, and never 0. Months are the
vendor's billing months, which are those of UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from service.domain.decisions.budget import month_of

FIXED = "fixed"
"""The seller of costs that the rules name and no vendor's list shows."""
THRESHOLDS = (80, 100, 120)
"""Percent of the budget at which people are told (runbook, Cost Optimization: budget $200)."""
PAGED_FROM = 120
"""From this percent on a person is paged."""
CAP_HOURS = 672
"""Hours a month that a droplet costs at most (DigitalOcean's price page: 28 days)."""
_HOUR = Decimal(3600)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is billed.

    `month` is what it costs in a whole month, None where nobody knows. `hour` is its price by the
    hour, of what is billed by the hour up to CAP_HOURS; else None. `since` is when it was made, in
    seconds since the epoch, 0 where that is before this month or not known.
    """

    seller: str
    kind: str
    name: str
    what: str
    month: Decimal | None
    hour: Decimal | None = None
    since: float = 0.0

    def between(self, start: float, end: float, now: float) -> Decimal | None:
        """What it costs from one instant of the month of `now` to another."""
        begin, last = month_of(now)
        first = max(start, self.since, begin)
        if self.hour is not None:
            run = _hours(max(self.since, begin), first)
            hours = min(_hours(first, end), max(Decimal(0), CAP_HOURS - run))
            return self.hour * hours
        if self.month is None:
            return None
        return self.month * _hours(first, end) / _hours(begin, last)

    def to_json(self) -> dict[str, Any]:
        """Plain values; amounts as texts, because they are exact."""
        return {
            "seller": self.seller,
            "kind": self.kind,
            "name": self.name,
            "what": self.what,
            "dollars_month": None if self.month is None else str(cents(self.month)),
        }


@dataclass(frozen=True, slots=True)
class Booked:
    """What a vendor has booked in this month until `at` (its own words for when). `dollars` is None
    where it did not say; then `why` says why."""

    seller: str
    dollars: Decimal | None
    at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a month costs, as it is seen at `now` (seconds since the epoch).

    `unread` are sentences about what could not be listed, so that nothing of it is counted.
    `budget` is what the rules allow in a month, None where they do not say.
    """

    now: float
    lines: tuple[Line, ...]
    booked: tuple[Booked, ...] = ()
    unread: tuple[str, ...] = ()
    budget: Decimal | None = None

    @property
    def unknown(self) -> tuple[Line, ...]:
        """The lines whose price nobody knows."""
        return tuple(each for each in self.lines if each.month is None)

    @property
    def month_rate(self) -> Decimal:
        """What all known lines cost in a whole month."""
        return sum((each.month for each in self.lines if each.month is not None), Decimal(0))

    @property
    def hour_rate(self) -> Decimal:
        """The same by the hour."""
        begin, end = month_of(self.now)
        hours = _hours(begin, end)
        return sum((_by_the_hour(each, hours) for each in self.lines), Decimal(0))

    def counted(self, seller: str) -> Decimal:
        """What a seller's known lines have cost this month, had they been so since it began, or
        since they were made."""
        begin, _ = month_of(self.now)
        return self._sum(seller, begin, self.now)

    def left(self, seller: str) -> Decimal:
        """What a seller's known lines cost from now to the end of the month."""
        return self._sum(seller, self.now, month_of(self.now)[1])

    @property
    def projection(self) -> Decimal | None:
        """What the month comes to: what is booked, or counted where no bill can be read, and the
        running rate for the hours that are left. None where a vendor has a bill and does not say
        what is booked."""
        billed = {each.seller: each.dollars for each in self.booked}
        if None in billed.values():
            return None
        total = Decimal(0)
        for seller in dict.fromkeys([*billed, *(each.seller for each in self.lines)]):
            so_far = billed.get(seller)
            total += self.counted(seller) if so_far is None else so_far
            total += self.left(seller)
        return total

    @property
    def difference(self) -> Decimal | None:
        """What is booked, less what the inventory counts for the same time. None where nothing is
        booked that is known."""
        known = [each for each in self.booked if each.dollars is not None]
        if not known:
            return None
        return sum(
            ((each.dollars or Decimal(0)) - self.counted(each.seller) for each in known), Decimal(0)
        )

    @property
    def complete(self) -> bool:
        """Whether everything was listed and has a price."""
        return not self.unread and not self.unknown

    @property
    def percent(self) -> Decimal | None:
        """The projection in percent of the budget; None without one of the two."""
        projection = self.projection
        if projection is None or self.budget is None:
            return None
        return projection * 100 / self.budget

    @property
    def reached(self) -> tuple[int, ...]:
        """The thresholds that the projection has reached, the smallest first."""
        percent = self.percent
        return () if percent is None else tuple(each for each in THRESHOLDS if percent >= each)

    def to_json(self) -> dict[str, Any]:
        """Plain values; amounts as texts of dollars and cents, None where not known."""
        return {
            "at": self.now,
            "lines": [each.to_json() for each in self.lines],
            "booked": [
                {
                    "seller": each.seller,
                    "dollars": _text(each.dollars),
                    "at": each.at,
                    "why": each.why,
                    "counted": _text(self.counted(each.seller)),
                }
                for each in self.booked
            ],
            "difference": _text(self.difference),
            "dollars_hour": _text(self.hour_rate),
            "dollars_month": _text(self.month_rate),
            "projection": _text(self.projection),
            "budget": _text(self.budget),
            "percent": None if self.percent is None else int(self.percent),
            "reached": list(self.reached),
            "unknown": [each.to_json() for each in self.unknown],
            "unread": list(self.unread),
            "complete": self.complete,
        }

    def _sum(self, seller: str, start: float, end: float) -> Decimal:
        amounts = (
            each.between(start, end, self.now) for each in self.lines if each.seller == seller
        )
        return sum((each for each in amounts if each is not None), Decimal(0))


def month_name(now: float) -> str:
    """The billing month of an instant: `2026-11`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m")


def cents(amount: Decimal) -> Decimal:
    """An amount in whole cents."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def shown(amount: Decimal | None) -> str:
    """`$1,234.50`, or `unknown`."""
    if amount is None:
        return "unknown"
    sign = "-" if cents(amount) < 0 else ""
    return f"{sign}${abs(cents(amount)):,.2f}"


def amount_of(text: object) -> Decimal | None:
    """An amount as a vendor writes it; None where that is no number."""
    try:
        found = Decimal(str(text))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def _by_the_hour(line: Line, hours: Decimal) -> Decimal:
    if line.hour is not None:
        return line.hour
    return Decimal(0) if line.month is None else line.month / hours


def _hours(start: float, end: float) -> Decimal:
    return max(Decimal(0), Decimal(repr(end)) - Decimal(repr(start))) / _HOUR


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(cents(amount))


def lines_of_fixed(fixed: Sequence[tuple[str, Decimal]]) -> list[Line]:
    """The costs that the rules name."""
    return [Line(FIXED, FIXED, name, "as the rules say", dollars) for name, dollars in fixed]
