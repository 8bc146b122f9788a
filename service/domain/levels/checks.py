"""What can be found wrong with levels before any of them holds: overlaps, gaps, skipped times.

Two years are looked at, from a fixed day on, so that the same rules are valid on every day. Where a
date names a year, the years up to it are looked at too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    for earlier, later in combinations(levels, 2):
        shared = sorted(set(earlier.hold) & set(later.hold))
        # The weeks of one growth follow each other.
        of_one_growth = earlier.grows != "" and earlier.grows == later.grows
        if earlier.kind != later.kind or not shared or of_one_growth:
            continue
        at = _first_together(earlier, later)
        if at is not None:
            yield Overlap(later, earlier, shared[0], at)


def both_otherwise(levels: Sequence[Level]) -> Iterator[tuple[Level, Level, Attribute]]:
    """Each pair of levels of one kind that say otherwise of the same attribute: later, earlier."""
    for earlier, later in combinations(levels, 2):
        shared = sorted(set(earlier.otherwise) & set(later.otherwise))
        if earlier.kind == later.kind and shared:
            yield later, earlier, shared[0]


def beaten_floors(levels: Sequence[Level]) -> Iterator[tuple[Level, Level, Attribute, float]]:
    """Each floor that is above another level's ceiling at a time: the floor's, the ceiling's."""
    for low in levels:
        for high in levels:
            if low is high or KINDS.index(high.kind) > KINDS.index(low.kind):
                continue
            for attribute in sorted(set(low.hold) & set(high.hold)):
                floor, ceiling = low.hold[attribute].floor, high.hold[attribute].ceiling
                if floor is None or ceiling is None or floor <= ceiling:
                    continue
                at = _first_together(low, high)
                if at is not None:
                    yield low, high, attribute, at


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


def _first_together(one: Level, other: Level) -> float | None:
    """The first moment at which both are open; None when there is none."""
    start, end = looked_at((one, other))
    spans = sorted([*one.spans(start, end), *other.spans(start, end)])
    reached = start
    for opens, closes in spans:
        # The windows of one level are apart from each other, so it is the other's.
        if opens < reached:
            return opens
        reached = max(reached, closes)
    return None


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
