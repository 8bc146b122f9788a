"""Readings: Prometheus, plain health checks, and the record of what was measured.

Every method of the first two raises `service.domain.errors.VendorError`, and nothing of an SDK.
Every method of the record raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from service.domain.readings.readings import Reading


class Metrics(Protocol):
    """Prometheus' HTTP API."""

    def query(self, expression: str) -> float | None:
        """The value of an instant query that yields one sample; None when there is no data."""
        ...

    def history(
        self, expression: str, since: float, until: float, step_s: float
    ) -> Sequence[tuple[float, float]]:
        """The samples of an expression that yields one series, `step_s` seconds apart from `since`
        to `until` (seconds since the epoch, both included): instants and values. Empty when there
        is no data."""
        ...


class HealthProbe(Protocol):
    """A plain HTTP health check of what was changed."""

    def check(self, url: str) -> str | None:
        """None when `url` answers 2xx; otherwise one sentence that says what it did instead."""
        ...


class Readings(Protocol):
    """The record of readings, by the hour and by the day. Instants are seconds since the epoch."""

    def dealt_with(self, since: float, now: float) -> Collection[float]:
        """The hours from `since` on that nobody needs to take now: they were read, or a worker has
        taken them and its time is not over."""
        ...

    def take(self, hours: Collection[float], until: float, now: float) -> Collection[float]:
        """Take hours to be read until `until`: of several workers one gets each. The result are
        those that the caller got."""
        ...

    def keep(self, readings: Sequence[Reading], read: Collection[float]) -> None:
        """Keep readings of hours, put their days together anew, and note that the hours `read`
        need no further look. What is kept already of an hour stays."""
        ...

    def prune(self, hours_before: float, days_before: float, limit: int) -> int:
        """Remove at most `limit` readings of hours and of days, each, that began before; how many
        were removed."""
        ...

    def newest(self) -> float | None:
        """When the newest hour began of which something is kept."""
        ...
