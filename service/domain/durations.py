"""Durations as Prometheus writes them (`90s`, `10m`, `1h30m`), so that one notation serves all."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
"""Prometheus' units, largest first; a year is 365 days there."""

_SHAPE = re.compile("".join(rf"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _UNITS))


MAX_DAYS = 36_500
"""A hundred years, counted from today, is still a date that every calendar and store can hold."""


def parse_duration(text: str, most_days: int = MAX_DAYS) -> timedelta:
    """The duration written as `1h30m`: units in order, each at most once, or a bare `0`.

    Raises `ValueError` with a sentence that says how to write it, or that it is longer than
    `most_days`. The sentence lacks its full stop.
    """
    if text == "0":
        return timedelta()
    found = _SHAPE.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text!r} is not a duration; write it as 90s, 10m or 1h30m")
    try:
        duration = sum(
            (int(count) * _UNITS[unit] for unit, count in found.groupdict().items() if count),
            timedelta(),
        )
    except (OverflowError, ValueError):  # more than a timedelta or Python's int() takes
        duration = timedelta.max
    if duration > timedelta(days=most_days):
        raise ValueError(f"{text[:40]!r} is longer than {most_days}d, the longest that is allowed")
    return duration
