"""Supabase's management API (docs/vendors.md): what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ComputeState:
    """A Supabase project's compute: `variant` such as ci_micro, `status` such as ACTIVE_HEALTHY.

    `prices` maps each variant to dollars a month, as the vendor quotes them.
    """

    project: str
    variant: str
    status: str
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service of a database project and whether it answers."""

    name: str
    healthy: bool
    detail: str = ""


class DatabaseCompute(Protocol):
    """The Supabase management API (docs/vendors.md)."""

    def get(self, project: str) -> ComputeState:
        """The project's compute size and status now, with the vendor's prices."""
        ...

    def resize(self, project: str, variant: str) -> None:
        """Ask for another compute size; about two minutes of downtime follow."""
        ...

    def started_at(self, project: str) -> float:
        """When the database was started, in seconds since the epoch by its own clock.

        Another moment than before proves a restart, whatever any clock says.
        """
        ...

    def max_connections(self, project: str) -> int:
        """How many connections the database takes, by its own word."""
        ...

    def pool_size(self, project: str) -> int | None:
        """How many connections the pooler opens to the primary, for each pair of role and
        database; None where the vendor chooses."""
        ...

    def set_pool_size(self, project: str, size: int | None) -> None:
        """Set that number; None has the vendor choose again."""
        ...

    def health(self, project: str) -> Sequence[ServiceHealth]:
        """Database and pooler."""
        ...
