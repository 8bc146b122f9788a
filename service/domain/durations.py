"""Durations as Prometheus writes them (`90s`, `10m`, `1h30m`), so that one notation serves all.

And times as people read them in messages: how long something took, and when something is, both
from here and by the clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

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


def lasted(seconds: float) -> str:
    """A length of time as a person reads it: `48 s`, `3 min 5 s`, `2 h 5 min`, `3 days 4 h`."""
    whole = max(0, round(seconds))
    minutes, rest_s = divmod(whole, 60)
    hours, rest_min = divmod(minutes, 60)
    days, rest_h = divmod(hours, 24)
    if days:
        named = "1 day" if days == 1 else f"{days} days"
        return _both(named, rest_h, "h")
    if hours:
        return _both(f"{hours} h", rest_min, "min")
    return _both(f"{minutes} min", rest_s, "s") if minutes else f"{rest_s} s"


def moment(at: float, now: float) -> str:
    """When something is or was: `in 9 min, at 03:42 UTC`, `9 min ago, at 03:42 UTC`.

    Both are in seconds since the epoch. The date is named where it is not today's. A message is
    read later than it was written, so the time by the clock is always there.
    """
    then, today = (datetime.fromtimestamp(each, UTC) for each in (at, now))
    by_clock = f"at {then:%H:%M} UTC"
    if then.date() != today.date():
        by_clock = f"on {then:%Y-%m-%d} {by_clock}"
    return f"{away(at, now)}, {by_clock}"


def clock_time(at: float) -> str:
    """A moment (seconds since the epoch) as a person reads it, in UTC.

    For reasons that are kept, and so are read at any time; what is told now says it as
    `moment` does.
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def away(at: float, now: float) -> str:
    """How far a moment is from now: `in 9 min`, `9 min ago`, `now`; both in seconds since the
    epoch."""
    seconds = abs(at - now)
    if seconds < 1:
        return "now"
    return f"in {_about(seconds)}" if at > now else f"{_about(seconds)} ago"


_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def _about(seconds: float) -> str:
    """A length of time without the small change: `48 s`, `9 min`, `2 h 5 min`, `3 days 4 h`."""
    if seconds < _MINUTE - 0.5:
        return lasted(seconds)
    if seconds < _HOUR - _MINUTE / 2:
        return f"{round(seconds / _MINUTE)} min"
    if seconds < _DAY - _MINUTE / 2:
        return lasted(round(seconds / _MINUTE) * _MINUTE)
    return lasted(round(seconds / _HOUR) * _HOUR)


def _both(first: str, rest: int, unit: str) -> str:
    return f"{first} {rest} {unit}" if rest else first
