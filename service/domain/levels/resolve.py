"""What holds for one attribute at one moment, why, what it has beaten, and when it changes.

The precedence: a calendar comes before a schedule, and what a level says otherwise comes after all
other levels of its kind. The first aim counts. Of all floors the largest counts, the target's own
minimum too. The first ceiling counts; without one, it is the most that the target may ever have.
Where a floor is above the ceiling, the ceiling counts. All of it is pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge
from itertools import takewhile

from service.domain.levels.levels import (
    KINDS,
    Attribute,
    Bounds,
    Level,
    Levels,
    Statement,
    Value,
)


@dataclass(frozen=True, slots=True)
class InForce:
    """A level that says something of an attribute now; `otherwise` where it is by that."""

    level: Level
    says: Statement
    otherwise: bool = False

    def __str__(self) -> str:
        """How people are told of it."""
        return f"{self.level.name}{' (otherwise)' if self.otherwise else ''}"


@dataclass(frozen=True, slots=True)
class Part:
    """One value that counts, and the level that states it; `by` is None for the target's own."""

    what: str
    value: Value
    by: InForce | None = None

    def __str__(self) -> str:
        """How people are told of it."""
        return f"{self.what} {self.value} by {self.by or 'the target itself'}"


@dataclass(frozen=True, slots=True)
class Beaten:
    """One value of a level that does not count, and why."""

    part: Part
    why: str

    def __str__(self) -> str:
        """How people are told of it."""
        return f"{self.part}: {self.why}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one attribute.

    `value` is where it should be; None where no level aims at anything. Then it stays as it is,
    within `least` and `most`, which are None where it is no number. `lowest` is the smallest size
    that it may have, None where it has no sizes or no level says so. `parts` are what counts.
    """

    value: Value | None
    least: int | None
    most: int | None
    parts: tuple[Part, ...] = ()
    beaten: tuple[Beaten, ...] = ()
    lowest: str | None = None

    @property
    def same(self) -> tuple[Value | None, int | None, int | None, tuple[str, ...]]:
        """What has to differ for a change that people are told of."""
        return self.value, self.least, self.most, tuple(str(each) for each in self.parts)

    def for_present(self, present: int) -> int:
        """Where a number should be that is `present` now, without what alerts have added."""
        wanted = self.value if isinstance(self.value, int) else present
        return _between(wanted, self.least, self.most)


def in_words(holds: Standing) -> str:
    """What holds, in a few words: `5`, or `as it is, 2 to 10`."""
    if holds.value is not None:
        return str(holds.value)
    if holds.lowest is not None:
        return f"at least {holds.lowest}"
    if holds.most is None:
        return "as it is"
    return f"as it is, {holds.least or 0} to {holds.most}"


def in_force(levels: Levels, attribute: Attribute, now: float) -> tuple[InForce, ...]:
    """The levels that say something of an attribute now, the first that counts first."""
    found: list[InForce] = []
    for kind in KINDS:
        of_kind = [each for each in levels.levels if each.kind == kind]
        by_window = [
            InForce(each, said)
            for each in of_kind
            if attribute in each.hold and each.open_at(now)
            if (said := levels.said(each, attribute)) is not None
        ]
        found += by_window or [
            InForce(each, each.otherwise[attribute], otherwise=True)
            for each in of_kind
            if attribute in each.otherwise and not each.open_at(now)
        ]
    return tuple(found)


def standing(levels: Levels, attribute: Attribute, now: float) -> Standing:
    """What holds for an attribute at a moment."""
    bounds = levels.bounds.get(attribute, Bounds())
    holds = _resolved(in_force(levels, attribute, now), bounds)
    return replace(holds, beaten=(*holds.beaten, *_not_known(levels, attribute, now)))


def _not_known(levels: Levels, attribute: Attribute, now: float) -> Iterator[Beaten]:
    """What a growth says now that nobody can tell the value of."""
    for each in levels.levels:
        if attribute in each.hold and levels.said(each, attribute) is None and each.open_at(now):
            says = each.hold[attribute]
            more = "of the next size" if levels.bounds[attribute].ladder else f"{says.more} more"
            times = f"{says.factor:g} times as many" if says.factor else more
            baseline = levels.baselines.get((each.grows, *attribute))
            why = (
                "it is not known yet what there was at its start"
                if baseline is None
                else f"{baseline}, which there was at its start, is not among its sizes"
            )
            yield Beaten(Part("floor", times, InForce(each, says)), why)


def changes(
    levels: Levels, attribute: Attribute, start: float, end: float
) -> Iterator[tuple[float, Standing]]:
    """Each moment after `start` and before `end` at which something else holds, and what."""
    before = standing(levels, attribute, start)
    concerned = (each for each in levels.levels if attribute in each.attributes)
    turns = merge(*(each.turns(start) for each in concerned))
    for turn in takewhile(lambda each: each < end, turns):
        after = standing(levels, attribute, turn)
        if after.same != before.same:
            yield turn, after
        before = after


def _resolved(forces: tuple[InForce, ...], bounds: Bounds) -> Standing:
    aims = [Part("aim", each.says.aim, each) for each in forces if each.says.aim is not None]
    floors = [
        Part("floor", each.says.floor, each) for each in forces if each.says.floor is not None
    ]
    ceilings = [
        Part("ceiling", each.says.ceiling, each) for each in forces if each.says.ceiling is not None
    ]
    beaten = [Beaten(each, f"{aims[0].by} comes first") for each in aims[1:]]
    beaten += [Beaten(each, f"{ceilings[0].by} comes first") for each in ceilings[1:]]
    if not bounds.is_number:
        return _of_texts(aims[:1], floors, beaten, bounds)
    own = [Part("floor", bounds.least)] if bounds.least is not None else []
    floor = max([*own, *floors], key=lambda part: int(part.value), default=None)
    beaten += [Beaten(each, f"{floor} is larger") for each in floors if each is not floor]
    ceiling = ceilings[0] if ceilings else Part("ceiling", int(bounds.most or 0))
    least, most = None if floor is None else int(floor.value), int(ceiling.value)
    if floor is not None and least is not None and least > most:
        beaten.append(Beaten(floor, f"it is above {ceiling}"))
        floor, least = None, most
    value = None
    if aims:
        value = _between(int(aims[0].value), least, most)
        if value != aims[0].value:
            over = floor if value > int(aims[0].value) else ceiling
            beaten.append(Beaten(aims[0], f"it lies outside {over}"))
    counts = tuple(each for each in (*aims[:1], floor, ceiling) if each is not None)
    return Standing(value, least, most, counts, tuple(beaten))


def _of_texts(
    aims: list[Part], floors: list[Part], beaten: list[Beaten], bounds: Bounds
) -> Standing:
    """What holds for a size or a strategy. Only a size has a floor, and only by a growth."""
    places = {each: place for place, each in enumerate(bounds.values)}
    floor = max(floors, key=lambda part: places[str(part.value)], default=None)
    if floor is None:
        value = aims[0].value if aims else None
        return Standing(value, None, None, tuple(aims), tuple(beaten))
    beaten += [Beaten(each, f"{floor} is larger") for each in floors if each is not floor]
    lowest, value = str(floor.value), None
    if aims:
        value = max(str(aims[0].value), lowest, key=places.__getitem__)
        if value != aims[0].value:
            beaten.append(Beaten(aims[0], f"it lies outside {floor}"))
    return Standing(value, None, None, (*aims, floor), tuple(beaten), lowest)


def _between(value: int, least: int | None, most: int | None) -> int:
    """The value within its bounds. Where they contradict each other, the upper one counts."""
    raised = value if least is None else max(value, least)
    return raised if most is None else min(raised, most)
