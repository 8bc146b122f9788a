"""Readings of hours and days: made of samples, put together, and which hours are still missing.

A reading is only made of what was measured. An hour without a sample has none: it is never 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
STEP_S = 60.0
"""Seconds between two samples of an hour."""
GRACE_S = 90.0
"""Seconds after the end of an hour before it is read: the last scrape of it has to be there."""
BACK_S = 14 * DAY_S
"""How far back a missing hour is still asked for. Prometheus keeps 15 days unless it is told
otherwise."""
AT_ONCE = 24
"""Hours that are read together: 1,440 samples of each metric in one answer. Prometheus gives
11,000 at most."""
HOUR, DAY = "hour", "day"
SPANS = (DAY, HOUR)
"""Over which time a reading may go."""
_P95 = 0.95


@dataclass(frozen=True, slots=True)
class Reading:
    """What one metric was over an hour or a day (UTC) that begins at `at`, in seconds since the
    epoch.

    `target` is empty for a metric of the whole application. Values are in the metric's unit.
    `samples` is of how many values it is made: samples of an hour, hours of a day.
    """

    metric: str
    target: str
    at: float
    mean: float
    low: float
    high: float
    p95: float
    samples: int


def beginning(at: float, span_s: float) -> float:
    """The beginning of the hour or day (UTC) in which an instant lies."""
    return math.floor(at / span_s) * span_s


def reading_of(metric: str, target: str, at: float, values: Sequence[float]) -> Reading:
    """The reading of an hour, of its samples; there is at least one."""
    return Reading(
        *(metric, target, at),
        mean=math.fsum(values) / len(values),
        low=min(values),
        high=max(values),
        p95=percentile(values, _P95),
        samples=len(values),
    )


def readings_of_hours(
    metric: str, samples: Iterable[tuple[float, float]], hours: Collection[float]
) -> list[Reading]:
    """One reading for each of these hours that has a sample. Samples are an instant and a value;
    those that are no finite number count as missing."""
    found: dict[float, list[float]] = {}
    for at, value in samples:
        if math.isfinite(value) and (hour := beginning(at, HOUR_S)) in hours:
            found.setdefault(hour, []).append(value)
    return [reading_of(metric, "", hour, values) for hour, values in sorted(found.items())]


def reading_of_day(hours: Sequence[Reading]) -> Reading:
    """The reading of a day, of its hours (at least one), which all count the same.

    The 95th percentile of all samples of a day cannot be had from its hours. `p95` is the 95th
    percentile of the hours' own: all but one hour of a full day were below it for 95 % of their
    time.
    """
    return replace(
        hours[0],
        at=beginning(hours[0].at, DAY_S),
        mean=math.fsum(each.mean for each in hours) / len(hours),
        low=min(each.low for each in hours),
        high=max(each.high for each in hours),
        p95=percentile([each.p95 for each in hours], _P95),
        samples=len(hours),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def wanted_hours(dealt_with: Collection[float], now: float) -> list[float]:
    """The hours to be read next, oldest first: the newest missing one, and those among the
    `AT_ONCE` hours up to it that are missing too."""
    last = beginning(now - GRACE_S, HOUR_S) - HOUR_S
    first = beginning(now - BACK_S, HOUR_S)
    missing = [
        hour
        for number in range(int((last - first) / HOUR_S) + 1)
        if (hour := last - number * HOUR_S) not in dealt_with
    ]
    return sorted(hour for hour in missing if hour > missing[0] - AT_ONCE * HOUR_S)
