"""Time as a value: the sandbox compares instants, and never sleeps to make an action take time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Returns seconds since the epoch: `time.time`, or in unit tests a clock that is moved by hand."""


def iso_seconds(at: float) -> str:
    """An instant as DigitalOcean and PagerDuty write it: `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(at: float) -> str:
    """An instant to the millisecond, as Supabase writes it: `2026-01-31T12:00:00.125Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
