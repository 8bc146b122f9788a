"""A week in figures: what was done, and what ran by day. Pure.

A day that nobody measured has None, and never 0. Days are those of UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.domain.decisions.budget import month_of
from service.domain.readings.metrics import COUNT, DOLLARS, unit_of
from service.domain.readings.readings import DAY_S, Reading, beginning

DAYS = 7


@dataclass(frozen=True, slots=True)
class RunCount:
    """How many runs of one action have this status."""

    action: str
    status: str
    count: int


def week_before(now: float) -> tuple[float, float]:
    """The seven whole days before today: the first second, and the first one after them."""
    until = beginning(now, DAY_S)
    return until - DAYS * DAY_S, until


def by_action(counts: Sequence[RunCount]) -> dict[str, dict[str, int]]:
    """How many runs, by action and status, both in alphabetical order."""
    found: dict[str, dict[str, int]] = {}
    for each in sorted(counts, key=lambda one: (one.action, one.status)):
        found.setdefault(each.action, {})[each.status] = each.count
    return found


def days_of(readings: Sequence[Reading], since: float) -> list[dict[str, Any]]:
    """Instances and dollars of all targets together, for each day of the week.

    `dollars` is what a day costs: the readings are dollars a month, and count for their share of
    that month.
    """
    return [_day(readings, since + number * DAY_S) for number in range(DAYS)]


def _day(readings: Sequence[Reading], at: float) -> dict[str, Any]:
    begin, end = month_of(at)
    rate = _sum(readings, DOLLARS, at)
    return {
        "day": day_name(at),
        "instances": _sum(readings, COUNT, at),
        "dollars": None if rate is None else rate * DAY_S / (end - begin),
    }


def _sum(readings: Sequence[Reading], metric: str, at: float) -> float | None:
    values = [each.mean for each in readings if each.metric == metric and each.at == at]
    return sum(values) if values else None


def indicators(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Each metric of the whole application that was measured: the mean of its days, the highest
    value of the week, and how many days have a reading."""
    found: dict[str, list[Reading]] = {}
    for each in readings:
        if not each.target:
            found.setdefault(each.metric, []).append(each)
    return [
        {
            "metric": metric,
            "unit": unit_of(metric),
            "mean": sum(each.mean for each in days) / len(days),
            "high": max(each.high for each in days),
            "days": len(days),
        }
        for metric, days in sorted(found.items())
    ]


def day_name(at: float) -> str:
    """The date of an instant, such as `2026-11-23`."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def is_measured(days: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any day has instances or dollars, so that a picture shows something."""
    return any(each[name] is not None for each in days for name in ("instances", "dollars"))
