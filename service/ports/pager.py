"""PagerDuty: what a page is, and what is asked of the pager.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.domain.links import Link


@dataclass(frozen=True, slots=True)
class Page:
    """A page to the person on call (PagerDuty Events v2).

    `severity` is critical, error, warning or info. `links` are (href, text) pairs.
    """

    dedup_key: str
    summary: str
    source: str
    severity: str
    component: str = ""
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    links: Sequence[tuple[str, str]] = ()


class Pager(Protocol):
    """PagerDuty Events v2: safe to repeat, because identity is the dedup_key."""

    def trigger(self, page: Page) -> None:
        """Open the incident of `page.dedup_key`, or add to it."""
        ...

    def resolve(self, dedup_key: str) -> None:
        """Close the incident; dropped by the vendor when none is open."""
        ...

    def change(
        self,
        summary: str,
        source: str,
        details: Mapping[str, Any],
        links: Sequence[Link] = (),
    ) -> None:
        """Record a change event: shown beside incidents, wakes nobody."""
        ...
