"""Times and durations in the form that people type and read."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import typer

from service.domain.durations import away, parse_duration


def parse_moment(text: str | None) -> float | None:
    """Seconds since the epoch, from ISO 8601, seconds, or a time ago (`2h`, `30m`).

    Raises:
        BadParameter: the text is none of these.
    """
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return time.time() - parse_duration(text).total_seconds()
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time; write 2026-01-31T09:00:00Z, or a time ago: 2h, 30m"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def clock(text: str | None) -> str:
    """A stored moment (ISO 8601) to the second, in UTC."""
    if not text:
        return ""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%SZ")


def ago(text: str | None, now: float) -> str:
    """How long ago a stored moment (ISO 8601) was at `now`, or how soon it is."""
    if not text:
        return ""
    return away(datetime.fromisoformat(text).timestamp(), now)


def took(began: str | None, ended: str | None) -> str:
    """The time between two stored moments (ISO 8601): `3.2 s`, `4 min 10 s`."""
    if not began or not ended:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
