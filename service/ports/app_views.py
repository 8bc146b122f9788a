"""The schema `runbook` of the application's database: its table, its views and its partitions.

Every method raises `service.domain.errors.VendorError`, and nothing of a driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from service.domain.app_views import Change, Found


class AppViews(Protocol):
    """The schema in one database (docs/views.md)."""

    @property
    def digests(self) -> Mapping[int, str]:
        """The digest of each version's text here."""
        ...

    def find(self) -> Found:
        """What is there."""
        ...

    def make(self, change: Change) -> bool:
        """Make one change, whole or not at all. False where another had made it meanwhile."""
        ...

    def rows(self, view: str) -> Sequence[Mapping[str, Any]]:
        """What a view of the schema says now."""
        ...
