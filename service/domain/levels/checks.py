"""What can be found wrong with levels before any of them holds: overlaps, gaps, skipped times.

Two years are looked at, from a fixed day on, so that the same rules are valid on every day. Where a
date names a year, the years up to it are looked at too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from service.domain.levels.levels import CALENDAR, KINDS, Attribute, Level
from service.domain.windows import Window, clock_change

FIRST_DAY = date(2026, 1, 1)
_TWO_YEARS = timedelta(days=731)
_TEN_YEARS = timedelta(days=3653)
"""How far a date that is named is followed: `9999-12-31` is meant as "from then on"."""
_DAY_MINUTES = 24 * 60
_A_PAIR = 2
_ISO_DATE = 10
"""Characters of YYYY-MM-DD; MM-DD has five."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two levels that say something of one attribute at the same time, the first time at `at`."""

    later: Level
    earlier: Level
    attribute: Attribute
    at: float


def looked_at(levels: Sequence[Level]) -> tuple[float, float]:
    """The moments from which and up to which levels are looked at."""
    windows = [window for level in levels for window in level.windows]
    named = [
        date.fromisoformat(text)
        for window in windows
        for text in (window.first, window.last)
        if text is not None and len(text) == _ISO_DATE
    ]
    first = min([FIRST_DAY, *named])
    after = [min(each, first + _TEN_YEARS) + timedelta(days=2) for each in named]
    last = max([first + _TWO_YEARS, *after])
    return _midnight(first), _midnight(last)


def overlaps(levels: Sequence[Level]) -> Iterator[Overlap]:
    """Each pair of levels of one kind that hold the same attribute at the same time."""
    found: dict[tuple[int, int], Overlap] = {}
    for attribute, held in _by_attribute(levels, lambda each: each.hold):
        for kind in KINDS:
            of_kind = [each for each in held if levels[each].kind == kind]
            for (earlier, later), at in _together(levels, of_kind).items():
                one, other = levels[earlier], levels[later]
                # The weeks of one growth follow each other.
                if not one.grows or one.grows != other.grows:
                    found.setdefault((earlier, later), Overlap(other, one, attribute, at))
    yield from (found[each] for each in sorted(found))


def both_otherwise(levels: Sequence[Level]) -> Iterator[tuple[Level, Level, Attribute]]:
    """Each pair of levels of one kind that say otherwise of the same attribute: later, earlier."""
    found: dict[tuple[int, int], Attribute] = {}
    for attribute, said in _by_attribute(levels, lambda each: each.otherwise):
        for pair in combinations(said, 2):
            if levels[pair[0]].kind == levels[pair[1]].kind:
                found.setdefault(pair, attribute)
    yield from ((levels[each[1]], levels[each[0]], found[each]) for each in sorted(found))


def beaten_floors(levels: Sequence[Level]) -> Iterator[tuple[Level, Level, Attribute, float]]:
    """Each floor that is above another level's ceiling at a time: the floor's, the ceiling's."""
    found: dict[tuple[int, int, Attribute], float] = {}
    for attribute, held in _by_attribute(levels, lambda each: each.hold):
        said = {each: levels[each].hold[attribute] for each in held}
        floors = [each.floor for each in said.values() if isinstance(each.floor, int)]
        ceilings = [each.ceiling for each in said.values() if each.ceiling is not None]
        if max(floors, default=0) <= min(ceilings, default=0):
            continue
        bounded = [
            each for each, its in said.items() if its.floor is not None or its.ceiling is not None
        ]
        for pair, at in _together(levels, bounded).items():
            for low, high in (pair, pair[::-1]):
                floor, ceiling = said[low].floor, said[high].ceiling
                if not isinstance(floor, int) or ceiling is None or floor <= ceiling:
                    continue
                if KINDS.index(levels[high].kind) <= KINDS.index(levels[low].kind):
                    found[low, high, attribute] = at
    for low, high, attribute in sorted(found):
        yield levels[low], levels[high], attribute, found[low, high, attribute]


def _by_attribute(
    levels: Sequence[Level], says: Callable[[Level], Iterable[Attribute]]
) -> list[tuple[Attribute, list[int]]]:
    """Each attribute in order, with the places of the levels that say something of it."""
    found: dict[Attribute, list[int]] = {}
    for place, level in enumerate(levels):
        for attribute in says(level):
            found.setdefault(attribute, []).append(place)
    return sorted(found.items())


def _together(levels: Sequence[Level], places: Sequence[int]) -> dict[tuple[int, int], float]:
    """Each pair of levels that are ever open at the same time, and the first moment of it.

    One pass over the times at which each opens, so that a thousand levels that follow each other
    cost no more than each of them alone. A pair is looked at in the time of `looked_at`.
    """
    if len(places) < _A_PAIR:
        return {}
    start, end = looked_at([levels[each] for each in places])
    times = sorted((*span, place) for place in places for span in levels[place].spans(start, end))
    is_open: dict[int, float] = {}
    found: dict[tuple[int, int], float] = {}
    for opens, closes, place in times:
        is_open = {each: until for each, until in is_open.items() if until > opens}
        for other, until in is_open.items():
            pair = min(place, other), max(place, other)
            if other == place or pair in found:
                continue
            first, last = looked_at([levels[each] for each in pair])
            at = max(opens, first)
            if at < min(closes, until, last):
                found[pair] = at
        is_open[place] = closes
    return found


def gaps(levels: Sequence[Level], attribute: Attribute) -> list[tuple[float, float]]:
    """When no calendar says anything of an attribute, within one year of what is looked at.

    Empty where no calendar ever says anything of it, and where one says what holds otherwise.
    """
    calendars = [each for each in levels if each.kind == CALENDAR and attribute in each.attributes]
    if not calendars or any(attribute in each.otherwise for each in calendars):
        return []
    start, _ = looked_at(())
    end = _midnight(FIRST_DAY + timedelta(days=365))
    spans = sorted(span for each in calendars for span in each.spans(start, end))
    found: list[tuple[float, float]] = []
    reached = start
    for opens, closes in [*spans, (end, end)]:
        if opens > reached:
            found.append((reached, opens))
        reached = max(reached, closes)
    return found


def odd_times(window: Window) -> list[tuple[str, date, str]]:
    """Times of a window that the clock skips or shows twice on a day on which the window is open.

    Each is a time such as 02:30, the first such day, and `skipped` or `twice`.
    """
    found: dict[tuple[str, str], date] = {}
    zone = ZoneInfo(window.zone)
    if window.start % _DAY_MINUTES == window.end % _DAY_MINUTES:
        return []
    for day in (FIRST_DAY + timedelta(days=step) for step in range(_TWO_YEARS.days)):
        if clock_change(day, zone) is None:
            continue
        for minute in (window.start, window.end % _DAY_MINUTES):
            local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
            odd = _odd(local)
            if odd and _is_near(window, local):
                found.setdefault((f"{local:%H:%M}", odd), day)
    return [(text, day, odd) for (text, odd), day in found.items()]


def _odd(local: datetime) -> str:
    """`skipped` or `twice` where the clock does that to a time; empty where it does not."""
    first, second = (local.replace(fold=fold).timestamp() for fold in (0, 1))
    if first == second:
        return ""
    return "skipped" if second < first else "twice"


def _is_near(window: Window, local: datetime) -> bool:
    """Whether the window is open within an hour of this time."""
    at = local.timestamp()
    return any(window.open_at(at + minutes * 60) for minutes in (-60, -30, -1, 0, 30, 60))


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
