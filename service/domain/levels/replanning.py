"""Each week of a growth beside what was measured, and what the week ahead would be by that. Pure.

The load is that of `rps`. Its last week is compared with the week before the growth began, weekday
by weekday, so that a quiet weekend is no fall and one day of a spike moves little. On top of that
comes a week of growth as it was measured (`service.domain.capacity.growth`). It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from math import ceil
from statistics import fmean, median
from typing import Any
from zoneinfo import ZoneInfo

from service.domain.capacity.growth import Growth, NoPlan, measured
from service.domain.costs.week import DAYS, week_before
from service.domain.levels.levels import GROWTH, Attribute, Level, Levels
from service.domain.readings.metrics import COUNT, DOLLARS
from service.domain.readings.readings import DAY_S, Reading, beginning

LOAD = "rps"
"""The metric by which growth is measured, as `runbookd capacity` does."""
LEAST_PAIRS = 5
"""Weekdays that both weeks must have a reading of: most of a week, so that one day that is missing
or odd does not decide."""
_HALF_A_WEEK_S = DAYS * DAY_S / 2
_MONTH_DAYS = 365.25 / 12
_INSTEAD = "So only the plan of the rules is told."


def replanned(levels: Levels, readings: Sequence[Reading], now: float) -> list[dict[str, Any]]:
    """Each growth that is under way, as plain values.

    `levels` know what there was at the start, `readings` are of days.
    """
    growths: dict[str, list[Level]] = {}
    for each in levels.levels:
        if each.kind == GROWTH and each.grows:
            growths.setdefault(each.grows, []).append(each)
    return [
        found
        for name, weeks in growths.items()
        if (found := _one(name, weeks, levels, readings, now)) is not None
    ]


def _one(
    name: str, weeks: Sequence[Level], levels: Levels, readings: Sequence[Reading], now: float
) -> dict[str, Any] | None:
    since, until = week_before(now)
    before, last = _open(weeks, since - _HALF_A_WEEK_S), _open(weeks, since + _HALF_A_WEEK_S)
    ahead = _open(weeks, until + _HALF_A_WEEK_S)
    if ahead is None or (before is weeks[-1] and last is weeks[-1]):
        return None
    found: dict[str, Any] = {"growth": name, "week": ahead.name, "because": ""}
    load, growth = None, None
    try:
        growth = measured(LOAD, _days(readings, LOAD, "").items(), instead=_INSTEAD)
        load = _since_start(_start(weeks[0]), since, _days(readings, LOAD, ""))
        found["growth_a_month"] = {"low": growth.low, "mid": growth.mid, "high": growth.high}
        found["load"] = load
    except NoPlan as problem:
        found["because"] = str(problem)
    counts = [
        _count(levels, each, last, ahead, readings, since, load, growth)
        for each in sorted(ahead.hold)
        if levels.bounds[each].is_number
    ]
    return {**found, "counts": counts, "holds": list(_held(levels, ahead))}


def _open(weeks: Sequence[Level], at: float) -> Level | None:
    return next((each for each in weeks if each.open_at(at)), None)


def _start(first: Level) -> float:
    window = first.windows[0]
    day = date.fromisoformat(str(window.first))
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(window.zone)).timestamp()


def _days(readings: Sequence[Reading], metric: str, target: str) -> dict[float, float]:
    return {
        each.at: each.mean for each in readings if (each.metric, each.target) == (metric, target)
    }


def _since_start(start: float, since: float, days: Mapping[float, float]) -> float:
    """How many times as much load the last week had as the week before the growth began.

    Raises:
        NoPlan: too few weekdays have a reading in both.
    """
    first = beginning(start, DAY_S) - DAYS * DAY_S
    weeks = [
        {
            int(at // DAY_S) % DAYS: days[at]
            for at in (begin + n * DAY_S for n in range(DAYS))
            if at in days
        }
        for begin in (first, since)
    ]
    then, now = ({day: value for day, value in week.items() if value > 0} for week in weeks)
    pairs = [now[day] / then[day] for day in now if day in then]
    if len(pairs) < LEAST_PAIRS:
        raise NoPlan(
            f"{len(pairs)} weekdays have readings of {LOAD} both in the last week and in the week "
            f"before it began, and {LEAST_PAIRS} are needed to compare them. {_INSTEAD}"
        )
    return median(pairs)


def _count(
    levels: Levels,
    of: Attribute,
    last: Level | None,
    ahead: Level,
    readings: Sequence[Reading],
    since: float,
    load: float | None,
    growth: Growth | None,
) -> dict[str, Any]:
    """One count that grows: what was planned and read of the last week, and of the week ahead what
    is planned and what it would be by the readings, each with its dollars a month."""
    target, attribute = of
    week = {n * DAY_S + since for n in range(DAYS)}
    read, dollars = (
        [value for at, value in _days(readings, metric, target).items() if at in week]
        for metric in (COUNT, DOLLARS)
    )
    each = fmean(dollars) / fmean(read) if read and dollars and fmean(read) > 0 else None
    planned = _floor(levels, ahead, of)
    baseline = levels.baselines.get((ahead.grows, *of))
    by_readings = None
    if load is not None and growth is not None and isinstance(baseline, int):
        times = load * (1 + growth.mid) ** (DAYS / _MONTH_DAYS)
        by_readings = _within(ceil(round(baseline * times, 6)), levels, of)
    return {
        "target": target,
        "attribute": attribute,
        "planned": None if last is None else _floor(levels, last, of),
        "read": fmean(read) if read else None,
        "next": planned,
        "next_dollars": _times(planned, each),
        "by_readings": by_readings,
        "by_readings_dollars": _times(by_readings, each),
    }


def _floor(levels: Levels, week: Level, of: Attribute) -> int | None:
    said = levels.said(week, of) if of in week.hold else None
    return said.floor if said is not None and isinstance(said.floor, int) else None


def _within(count: int, levels: Levels, of: Attribute) -> int:
    bounds = levels.bounds[of]
    raised = count if bounds.least is None else max(count, bounds.least)
    return raised if bounds.most is None else min(raised, bounds.most)


def _times(count: int | None, dollars: float | None) -> float | None:
    return None if count is None or dollars is None else count * dollars


def _held(levels: Levels, week: Level) -> Iterator[str]:
    """What a week says of sizes and strategies, in words."""
    for target, attribute in sorted(week.hold):
        said = levels.said(week, (target, attribute))
        if said is None or levels.bounds[target, attribute].is_number:
            continue
        value = f"at least {said.floor}" if said.floor is not None else said.aim
        yield f"{attribute} of {target} {value}"
