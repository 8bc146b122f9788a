"""Makes the shipped configuration fast enough to watch: every duration divided by one factor.

The end-to-end tests run the files that users run, with `for: 5m` as 5 seconds; a copy written for
the tests would say nothing about the shipped ones. It works on the text, so that comments, quoting
and order stay and nothing but durations can change. It knows the keys of Prometheus' rules and
configuration, Alertmanager's routes and runbookd's own rules.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

UNITS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_536_000_000,
}
"""Milliseconds in each unit of a Prometheus duration; a year is 365 days there."""

KEYS = (
    "for",
    "keep_firing_for",
    "interval",
    "scrape_interval",
    "scrape_timeout",
    "evaluation_interval",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "cooldown",
    "settle",
    "after",
    "per",
    "pause",
)
"""Keys whose values are durations."""

_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_VALUE = re.compile(
    rf"""(?P<before>(?<![\w.-])(?:{"|".join(KEYS)}):[ ]+["']?)(?P<duration>{_DURATION})"""
    r"""(?=["']?\s*(?:[,}#]|$))""",
    re.MULTILINE,
)
_RANGE = re.compile(rf"\[(?P<range>{_DURATION})(?::(?P<step>{_DURATION})?)?\]")
_OFFSET = re.compile(rf"(?P<before>\boffset\s+-?)(?P<duration>{_DURATION})\b")


def shorten(text: str, factor: int = 60) -> str:
    """Return `text` with each duration (of KEYS, range selectors, offsets) divided by `factor`.

    Comment lines stay as they are. A duration never becomes less than a millisecond, but for zero.

    Raises:
        ValueError: `factor` is less than 1.
    """
    if factor < 1:
        raise ValueError(f"Durations can't be divided by {factor}: the factor must be 1 or more.")
    return "".join(_shorten_line(line, factor) for line in text.splitlines(keepends=True))


def _shorten_line(line: str, factor: int) -> str:
    if line.lstrip().startswith("#"):
        return line
    line = _VALUE.sub(lambda m: m["before"] + divided(m["duration"], factor), line)
    line = _OFFSET.sub(lambda m: m["before"] + divided(m["duration"], factor), line)
    return _RANGE.sub(lambda m: _divided_range(m, factor), line)


def _divided_range(match: re.Match[str], factor: int) -> str:
    parts = [divided(match["range"], factor)]
    if ":" in match[0]:
        parts.append(divided(match["step"], factor) if match["step"] else "")
    return f"[{':'.join(parts)}]"


def divided(duration: str, factor: int) -> str:
    """Return a Prometheus duration (`5m`, `1h30m`) divided by `factor`, to the millisecond."""
    whole = sum(int(number) * UNITS_MS[unit] for number, unit in _PART.findall(duration))
    part = int((Decimal(whole) / factor).quantize(Decimal(1), ROUND_HALF_UP))
    if whole and not part:
        part = 1
    return f"{part // 1000}s" if part % 1000 == 0 else f"{part}ms"
