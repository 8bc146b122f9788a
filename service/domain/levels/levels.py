"""Levels, as the rules state them: what should hold for a target while a window is open.

A level never fires. What holds is a function of the rules and the moment, so that no change of a
schedule can be missed, doubled or put in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import takewhile
from math import ceil
from types import MappingProxyType
from typing import Any

from service.domain.windows import Window

CALENDAR = "calendar"
SCHEDULE = "schedule"
GROWTH = "growth"
KINDS = (CALENDAR, GROWTH, SCHEDULE)
"""The kinds of level. An earlier one comes before a later one."""

Value = int | str
Attribute = tuple[str, str]
"""The name of a target, and what of it."""
Baseline = tuple[str, str, str]
"""The name of a growth with its first day, the name of a target, and what of it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a level says of one attribute: go there, have at least this, have at most that.

    `aim` can be a text, such as a size or a strategy. So can `floor` of a growth: the size, or a
    larger one. Two are for growth alone: `factor` is at least so many times what there was at its
    start, and `more` is at least so many more, or so many sizes larger.
    """

    aim: Value | None = None
    floor: Value | None = None
    ceiling: int | None = None
    factor: float | None = None
    more: int | None = None

    @property
    def since_start(self) -> bool:
        """Whether what it says depends on what there was at the start of a growth."""
        return self.factor is not None or self.more is not None

    def to_json(self) -> dict[str, Any]:
        """What it says, as plain values."""
        said = {"aim": self.aim, "floor": self.floor, "ceiling": self.ceiling}
        growth = {"factor": self.factor, "more": self.more}
        return {**said, **{name: each for name, each in growth.items() if each is not None}}


def _grown(baseline: int, statement: Statement) -> int:
    """Rounded up, but for what a float is too much: 10 × 1.1 is 11."""
    times = ceil(round(baseline * (statement.factor or 1.0), 6))
    return times + (statement.more or 0)


@dataclass(frozen=True, slots=True)
class Level:
    """What should hold while one of its windows is open.

    `otherwise` holds while they are shut, and no other level of its kind says anything of the
    attribute. `written` is where it stands in the rules, as `file:line`. `grows` names the growth
    that it is a week of, with its first day; empty for any other level.
    """

    name: str
    kind: str
    windows: tuple[Window, ...]
    hold: Mapping[Attribute, Statement] = field(hash=False)
    otherwise: Mapping[Attribute, Statement] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    written: str = ""
    grows: str = ""

    def open_at(self, now: float) -> bool:
        """Whether one of its windows is open."""
        return any(window.open_at(now) for window in self.windows)

    def turns(self, now: float) -> Iterator[float]:
        """Each later moment at which one of its windows opens or closes, in order."""
        return merge(*(_turns(window, now) for window in self.windows))

    def spans(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """When it is open between two moments, in order, and apart from each other."""
        opens = closes = None
        found = sorted(span for window in self.windows for span in _spans(window, start, end))
        for first, last in found:
            if closes is None or first > closes:
                if opens is not None and closes is not None:
                    yield opens, closes
                opens, closes = first, last
            else:
                closes = max(closes, last)
        if opens is not None and closes is not None:
            yield opens, closes

    @property
    def attributes(self) -> frozenset[Attribute]:
        """All that it ever says something of."""
        return frozenset({*self.hold, *self.otherwise})


def _turns(window: Window, now: float) -> Iterator[float]:
    while True:
        is_open = window.open_at(now)
        turn = window.closes_after(now) if is_open else window.opens_after(now)
        if turn is None or turn <= now:
            return
        yield turn
        now = turn


@lru_cache(maxsize=256)
def _spans(window: Window, start: float, end: float) -> tuple[tuple[float, float], ...]:
    """When a window is open between two moments. Levels of many targets often share one."""
    found = []
    opened = start if window.open_at(start) else None
    for turn in takewhile(lambda each: each < end, _turns(window, start)):
        if opened is None:
            opened = turn
        else:
            found.append((opened, turn))
            opened = None
    if opened is not None:
        found.append((opened, end))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an attribute of a target can be.

    Of a number: at least `least`, at most `most`. Of anything else: one of `values`. They are a
    `ladder` where each is larger than the one before it, as sizes are.
    """

    least: int | None = None
    most: int | None = None
    values: tuple[str, ...] = ()
    ladder: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a whole number, so that it can have a floor and a ceiling."""
        return self.most is not None


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels of the rules, in the order in which they are written.

    `bounds` are those of each attribute that a level says something of. `zone` is the time zone in
    which people are told of them. `baselines` are how many there were at the start of a growth, or
    which size, as far as workers have seen it: it is no part of the rules.
    """

    levels: tuple[Level, ...] = ()
    bounds: Mapping[Attribute, Bounds] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    zone: str = "UTC"
    baselines: Mapping[Baseline, Value] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )

    def said(self, level: Level, attribute: Attribute) -> Statement | None:
        """What a level says of an attribute while it is open. What a growth says becomes a floor;
        None where it is not known yet of what."""
        statement, bounds = level.hold[attribute], self.bounds.get(attribute, Bounds())
        if not statement.since_start:
            raises = level.grows and bounds.ladder and statement.aim is not None
            return Statement(floor=statement.aim) if raises else statement
        baseline = self.baselines.get((level.grows, *attribute))
        if isinstance(baseline, int):
            floor = _grown(baseline, statement)
            return Statement(floor=floor if bounds.most is None else min(floor, bounds.most))
        if baseline in bounds.values:
            place = bounds.values.index(baseline) + (statement.more or 0)
            return Statement(floor=bounds.values[min(place, len(bounds.values) - 1)])
        return None

    def beginning(self, now: float) -> frozenset[Baseline]:
        """The growths that have begun, with each attribute, of which it is not known how many there
        were at the start."""
        begun = {each.grows for each in self.levels if each.grows and each.open_at(now)}
        found = {
            (each.grows, *attribute)
            for each in self.levels
            if each.grows in begun
            for attribute, statement in each.hold.items()
            if statement.since_start
        }
        return frozenset(found - self.baselines.keys())

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All that any level ever says something of, in order."""
        return tuple(sorted({each for level in self.levels for each in level.attributes}))
