"""Hours in which fewer instances are enough, proposed from two weeks of readings. Pure.

It proposes a level and changes nothing. One quiet evening is no reason: an hour of the day counts
as quiet only where it was quiet on each of its days, and was measured on nearly all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

QUIET = 30.0
"""Percent of CPU below which an hour is off-peak (runbook, Automatic Cost Optimization)."""
DAYS = 14
"""Days of readings that are looked at: each weekday comes twice."""
KNOWN = 0.75
"""The share of an hour's days that must have been measured: 3 of 4 weekend days, 8 of 10 others."""
TARGET_CPU = 60.0
"""Percent of CPU that fewer instances may reach by the readings: below the 70 at which a return
would hold back, with room for what the readings do not show."""
WEEK = {"mon-fri": (0, 1, 2, 3, 4), "sat-sun": (5, 6)}
_SHARE_OF_WEEK = {"mon-fri": Decimal(5) / 7, "sat-sun": Decimal(2) / 7}


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of readings: when it began, CPU's 95th percentile in percent, and the mean number
    of instances."""

    at: float
    cpu: float
    instances: float


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day in which `count` instances are enough, on these days of the week.

    `start` and `end` are hours of one day, the end excluded. `cpu` is the highest percentile in
    them, `instances` how many there were at most.
    `dollars_month` is what it saves in a month, None where no price is known.
    """

    days: str
    start: int
    end: int
    cpu: float
    instances: int
    count: int
    dollars_month: Decimal | None

    def level(self, target: str, zone: str) -> str:
        """The level that would hold it, for a rule file."""
        between = f'["{self.start:02}:00", "{self.end:02}:00"]'
        name = f"off-peak-{target}-{self.days}-{self.start:02}"
        return (
            f"{{name: {name}, kind: schedule, zone: {zone}, when: {{days: {self.days}, between: "
            f"{between}}}, hold: {{{target}: {{replicas: {{aim: {self.count}}}}}}}}}"
        )

    def to_json(self, target: str, zone: str) -> dict[str, Any]:
        """Plain values, with the level."""
        saved = None if self.dollars_month is None else str(round(self.dollars_month, 2))
        return {
            "target": target,
            "days": self.days,
            "start": self.start,
            "end": self.end,
            "cpu_p95": self.cpu,
            "instances": self.instances,
            "count": self.count,
            "saves_dollars_month": saved,
            "level": self.level(target, zone),
        }


def quiet_hours(
    hours: Sequence[Hour], zone: str, least: int, dollars_each: Decimal | None
) -> list[Quiet]:
    """The quiet hours of two weeks, put together where they follow one another.

    `least` is the smallest number of instances that the target may have, `dollars_each` what one
    costs in a month.
    """
    found: list[Quiet] = []
    for days, weekdays in WEEK.items():
        by_hour = _by_hour(hours, zone, weekdays)
        quiet = {
            hour: enough
            for hour, seen in by_hour.items()
            if (enough := _enough(seen, weekdays, least)) is not None
        }
        found += [_quiet(days, span, by_hour, quiet, dollars_each) for span in _spans(quiet)]
    return found


def _by_hour(
    hours: Sequence[Hour], zone: str, weekdays: Sequence[int]
) -> Mapping[int, Sequence[Hour]]:
    found: dict[int, list[Hour]] = {}
    for each in hours:
        local = datetime.fromtimestamp(each.at, ZoneInfo(zone))
        if local.weekday() in weekdays:
            found.setdefault(local.hour, []).append(each)
    return found


def _enough(seen: Sequence[Hour], weekdays: Sequence[int], least: int) -> int | None:
    """How many instances are enough in an hour; None where it is not quiet, was not measured often
    enough, or has no more than that already."""
    if len(seen) < KNOWN * DAYS / 7 * len(weekdays) or max(each.cpu for each in seen) >= QUIET:
        return None
    load = max(each.cpu * each.instances for each in seen)
    count = max(least, math.ceil(load / TARGET_CPU), 1)
    return count if count < min(each.instances for each in seen) else None


def _spans(quiet: Mapping[int, int]) -> Iterator[list[int]]:
    """The hours in rows that follow one another with the same count.

    None goes over midnight: a window of mon-fri that does reaches into Saturday, whose hours were
    not looked at with these days.
    """
    span: list[int] = []
    for hour in range(25):
        if span and (hour == span[-1] + 1 and quiet.get(hour) == quiet[span[0]]):
            span.append(hour)
            continue
        if span:
            yield span
        span = [hour] if hour in quiet else []


def _quiet(
    days: str,
    span: Sequence[int],
    by_hour: Mapping[int, Sequence[Hour]],
    quiet: Mapping[int, int],
    dollars_each: Decimal | None,
) -> Quiet:
    seen = [each for hour in span for each in by_hour[hour]]
    count = quiet[span[0]]
    fewer = sum(each.instances for each in seen) / len(seen) - count
    saved = None
    if dollars_each is not None:
        share = Decimal(len(span)) / 24 * _SHARE_OF_WEEK[days]
        saved = dollars_each * Decimal(repr(fewer)) * share
    return Quiet(
        days=days,
        start=span[0],
        end=span[-1] + 1,
        cpu=max(each.cpu for each in seen),
        instances=math.ceil(max(each.instances for each in seen)),
        count=count,
        dollars_month=saved,
    )
