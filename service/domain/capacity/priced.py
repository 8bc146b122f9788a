"""What the targets would need and cost: real ladders, whole instances, real prices.

How much a size does is taken to be what it costs, in proportion to the others of its ladder. A
price list is the only common measure that there is: sizes double in CPUs and memory about as they
double in price. So the cost never falls where the load rises, which a test holds for any ladder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.capacity.growth import Growth
from service.domain.capacity.projection import Month, Projection, Span, over_budget
from service.domain.pools.size import Demand, Server, bounds

_HAIR = 1e-9
"""Less than this of an instance is an error of arithmetic, and no reason for one more."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of a ladder with its dollars a month, for one instance."""

    name: str
    dollars: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """A target as it is now. `sizes` are those from the present one up its ladder.

    It has `count` instances, and may have `least` to `most`; `most` is None where it has one and
    does not count. `load` is how much of what it can take is used now: at 1 it is just enough.
    """

    name: str
    sizes: tuple[Size, ...]
    count: int = 1
    least: int = 1
    most: int | None = None
    load: float = 1.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a target needs: so many instances of a size, for so many dollars a month. `beyond` is
    whether that is more than it may have."""

    count: int
    size: str
    dollars: float
    beyond: bool

    def shown(self, scaled: Scaled) -> str:
        """`4 × professional-s`, or the size alone where the target does not count."""
        return self.size if scaled.most is None else f"{self.count} × {self.size}"


def rising(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """The sizes of which each is dearer than all before it: a step up costs more."""
    kept: list[Size] = []
    for size in sizes:
        if not kept or size.dollars > kept[-1].dollars:
            kept.append(size)
    return tuple(kept)


def need(scaled: Scaled, times: float) -> Need:
    """What a target needs at so many times its present load: more instances first, then the next
    size, as the runbook scales."""
    now = scaled.sizes[0]
    units = scaled.count * now.dollars * scaled.load * times
    most = 1 if scaled.most is None else scaled.most
    for size in scaled.sizes:
        count = max(scaled.least, math.ceil(units / size.dollars - _HAIR))
        if count <= most:
            return Need(count, size.name, count * size.dollars, beyond=False)
    top = scaled.sizes[-1]
    if scaled.most is None:
        return Need(1, top.name, top.dollars, beyond=True)
    return Need(count, top.name, count * top.dollars, beyond=True)


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections each instance may open, and what the database takes."""

    per_instance: int
    server: Server


def by_price(
    months: tuple[Month, ...],
    growth: Growth,
    targets: Sequence[Scaled],
    budget: float | None,
    connections: Connections | None = None,
    assumed: Sequence[str] = (),
) -> Projection:
    """What all targets need and cost in each month."""
    needs = [[need(each, month.times.mid) for each in targets] for month in months]
    dollars = tuple(
        Span(*(sum(need(each, times).dollars for each in targets) for times in month.times.values))
        for month in months
    )
    rows: tuple[tuple[str | int | float, ...], ...] = tuple(
        (
            month.number,
            month.name,
            round(month.times.mid, 2),
            *(each.shown(scaled) for each, scaled in zip(found, targets, strict=True)),
            *(round(each, 2) for each in (spent.mid, spent.low, spent.high)),
        )
        for month, found, spent in zip(months, needs, dollars, strict=True)
    )
    passed = [
        *over_budget(months, dollars, budget),
        *(
            sentence
            for place, scaled in enumerate(targets)
            if (sentence := _beyond(scaled, months, [each[place] for each in needs]))
        ),
    ]
    if connections is not None:
        passed += _too_many(connections, months, targets, needs)
    return Projection(
        model="priced",
        growth=growth,
        months=months,
        columns=(
            *("month", "name", "times", *(each.name for each in targets)),
            *("dollars", "dollars_low", "dollars_high"),
        ),
        rows=rows,
        dollars=dollars,
        budget=budget,
        passed=tuple(passed),
        assumed=tuple(assumed),
    )


def _beyond(scaled: Scaled, months: Sequence[Month], needs: Sequence[Need]) -> str:
    for month, found in zip(months, needs, strict=True):
        if found.beyond and scaled.most is None:
            return (
                f"{scaled.name} needs more than {found.size}, the largest size of its ladder, from "
                f"{month.name} on."
            )
        if found.beyond:
            return (
                f"{scaled.name} needs {found.shown(scaled)} in {month.name}, and may have "
                f"{scaled.most}: raise replicas.max, or add a larger size."
            )
    return ""


def _too_many(
    connections: Connections,
    months: Sequence[Month],
    targets: Sequence[Scaled],
    needs: Sequence[Sequence[Need]],
) -> list[str]:
    """The sentence about the first month in which the database has too few connections."""
    for month, found in zip(months, needs, strict=True):
        counted = zip(found, targets, strict=True)
        instances = sum(each.count for each, scaled in counted if scaled.most is not None)
        if not instances:
            continue
        demand = Demand(instances, connections.per_instance)
        (bound,) = bounds(demand, connections.server, None)
        if not bound.holds:
            sentence = (
                f"In {month.name}, {instances} instances × {connections.per_instance} connections "
                f"are too many for the database: {bound.sentence}"
            )
            return [sentence]
    return []
