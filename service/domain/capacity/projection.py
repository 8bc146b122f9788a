"""The months ahead: how much more there will be, what that needs, and what is passed first.

Two models. `runbook` is the runbook's own formulas (runbook, Growth Projection Model), to the
digit. `priced` is what the targets in the rules would need and cost (`priced.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from service.domain.capacity.growth import Growth, NoPlan

MOST_MONTHS = 60
CURRENT: Mapping[str, float] = {"users": 10_000, "rps": 100, "storage": 50, "instances": 3}
"""The runbook's present: users, requests a second, gigabytes, instances."""
RUNBOOKS_BUDGET = 200.0
"""Dollars a month (runbook, Cost Monitoring)."""
_COSTS = {"compute": 85.0, "database": 25.0, "storage": 10.0, "bandwidth": 20.0}
_LOGS = 1.2
"""What logs add to the storage, once."""
_LEAST_INSTANCES = 3
_DISCOUNTS = ((5.0, 0.8), (2.0, 0.9))
"""Above so many times the present, this part of the price is paid."""


@dataclass(frozen=True, slots=True)
class Span:
    """A value with the ends of its interval."""

    low: float
    mid: float
    high: float

    @property
    def values(self) -> tuple[float, float, float]:
        """The three: low, mid, high."""
        return self.low, self.mid, self.high


@dataclass(frozen=True, slots=True)
class Month:
    """One month ahead: its number from 1, its name (`2027-01`), and how many times the present
    there will be."""

    number: int
    name: str
    times: Span


@dataclass(frozen=True, slots=True)
class Projection:
    """What is planned, as a table. `dollars` are those of each month; `budget` is None where no
    budget is set. `passed` are sentences about what does not fit, `assumed` what the plan stands
    on."""

    model: str
    growth: Growth
    months: tuple[Month, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    dollars: tuple[Span, ...]
    budget: float | None
    passed: tuple[str, ...]
    assumed: tuple[str, ...]


def months_ahead(count: int, growth: Growth, more: float, now: float) -> tuple[Month, ...]:
    """The months after that of `now` (seconds since the epoch, UTC). `more` is how many times the
    present there is to begin with.

    Raises:
        NoPlan: the number of months cannot be planned.
    """
    if not 1 <= count <= MOST_MONTHS:
        raise NoPlan(f"--months must be from 1 to {MOST_MONTHS}, not {count}.")
    at = datetime.fromtimestamp(now, UTC)
    first = at.year * 12 + at.month - 1
    return tuple(
        Month(
            number,
            f"{(first + number) // 12}-{(first + number) % 12 + 1:02}",
            Span(*(more * (1 + g) ** number for g in (growth.low, growth.mid, growth.high))),
        )
        for number in range(1, count + 1)
    )


def what_if(given: Sequence[str], present: Mapping[str, float], unknown: str) -> float:
    """How many times the present there is, by what a person supposes: `users=50000`.

    `present` is what there is now. `unknown` says what can be done about a name that is not in it.

    Raises:
        NoPlan: something of it cannot be supposed.
    """
    if not given:
        return 1.0
    if len(given) > 1:
        raise NoPlan("One --what-if is enough: everything else grows by as much.")
    name, _, text = given[0].partition("=")
    if name not in present:
        known = f"known are {', '.join(sorted(present))}" if present else "nothing is known yet"
        raise NoPlan(f"--what-if {name}: how many there are now is not known; {known}. {unknown}")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise NoPlan(f"--what-if {name} must be a number above 0, such as {name}=50000.")
    return value / present[name]


def runbook_row(times: float) -> tuple[int, int, int, int, float]:
    """The runbook's users, requests a second, gigabytes, instances and dollars a month, at so many
    times the present. Numbers are cut off, not rounded, as it does."""
    return (
        int(CURRENT["users"] * times),
        int(CURRENT["rps"] * times),
        int(CURRENT["storage"] * times * _LOGS),
        max(_LEAST_INSTANCES, int(CURRENT["instances"] * times)),
        round(runbook_cost(times), 2),
    )


def runbook_cost(times: float) -> float:
    """The runbook's dollars a month. They fall where a discount begins: at 2.01 times the present
    they are less than at 2."""
    paid = next((part for above, part in _DISCOUNTS if times > above), 1.0)
    return sum(cost * times * paid for cost in _COSTS.values())


def by_the_runbook(months: tuple[Month, ...], growth: Growth, budget: float | None) -> Projection:
    """The runbook's own projection, with its dollars at both ends of the interval."""
    dollars = tuple(_between(runbook_cost, month.times) for month in months)
    rows = tuple(
        (month.number, month.name, *runbook_row(month.times.mid), *_ends(spent))
        for month, spent in zip(months, dollars, strict=True)
    )
    return Projection(
        model="runbook",
        growth=growth,
        months=months,
        columns=(
            *("month", "name", "users", "rps", "storage_gb", "instances"),
            *("dollars", "dollars_low", "dollars_high"),
        ),
        rows=rows,
        dollars=dollars,
        budget=budget,
        passed=tuple(over_budget(months, dollars, budget)),
        assumed=(
            "The runbook's present: 10,000 users, 100 requests a second, 50 GB, 3 instances, $140.",
            "Its prices are no vendor's, and its dollars fall where a discount begins.",
        ),
    )


def over_budget(
    months: Sequence[Month], dollars: Sequence[Span], budget: float | None
) -> list[str]:
    """The sentence about the first month that does not fit the budget."""
    if budget is None:
        return []

    def first(end: int) -> int | None:
        return next((at for at, each in enumerate(dollars) if each.values[end] > budget), None)

    latest, expected, earliest = first(0), first(1), first(2)
    if earliest is None:
        return []
    if expected is None:
        sentence = (
            f"The budget of ${budget:,.0f} a month holds as expected until {months[-1].name}; at "
            f"the upper end of the interval it is passed in {months[earliest].name}."
        )
        return [sentence]
    between = ""
    if earliest != latest:
        end = f"after {months[-1].name}" if latest is None else f"in {months[latest].name}"
        between = f", at the ends of the interval in {months[earliest].name} and {end}"
    sentence = (
        f"The budget of ${budget:,.0f} a month is passed in {months[expected].name}, at "
        f"${dollars[expected].mid:,.2f}{between}."
    )
    return [sentence]


def _between(cost: Callable[[float], float], times: Span) -> Span:
    """The dollars of a span. A discount may make the upper end the cheaper one."""
    ends = sorted(cost(each) for each in times.values)
    return Span(ends[0], cost(times.mid), ends[-1])


def _ends(spent: Span) -> tuple[float, float]:
    return round(spent.low, 2), round(spent.high, 2)
