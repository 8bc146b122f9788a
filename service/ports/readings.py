"""Readings of a target: Prometheus, and plain health checks.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from typing import Protocol


class Metrics(Protocol):
    """Prometheus' HTTP API."""

    def query(self, expression: str) -> float | None:
        """The value of an instant query that yields one sample; None when there is no data."""
        ...


class HealthProbe(Protocol):
    """A plain HTTP health check of what was changed."""

    def check(self, url: str) -> str | None:
        """None when `url` answers 2xx; otherwise one sentence that says what it did instead."""
        ...
