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


@dataclass(frozen=True, slots=True)
class Home:
    """Where a project belongs, and its PostgreSQL: `engine` is the major version, None where the
    vendor does not say."""

    organization: str
    engine: int | None


@dataclass(frozen=True, slots=True)
class Replica:
    """A read replica: `identifier` names it at the vendor, `status` is such as ACTIVE_HEALTHY."""

    identifier: str
    region: str
    status: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where one database of a project is reached, as the vendor lists it. It has no password."""

    identifier: str
    host: str
    user: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What the primary has just written, as a position in its log (`lsn`), and what a replica of it
    has to have in common with it."""

    lsn: str
    system_identifier: str
    max_connections: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What a replica shows. `behind_bytes` is how much of the primary's log up to a mark it has not
    replayed yet, 0 or less where it has. `lag_s` is how old its newest transaction is, 0 where it
    has replayed all that it received. `refused_with` is PostgreSQL's code for a write that was
    tried; empty where it was taken."""

    in_recovery: bool
    behind_bytes: int
    lag_s: float
    system_identifier: str
    max_connections: int
    refused_with: str


class DatabaseSql(Protocol):
    """What is asked of a project's databases themselves, primary and replicas."""

    def heartbeat(self, primary: Address) -> Mark:
        """Write a message of a few bytes into the primary's log, in no table, and say where."""
        ...

    def sight(self, replica: Address, mark: Mark) -> Sight:
        """What a replica shows of that mark and of itself."""
        ...

    def readers(self, replica: Address, roles: Sequence[str]) -> int:
        """How many connections of these roles are open at a replica."""
        ...


class DatabaseCompute(Protocol):
    """The Supabase management API (docs/vendors.md)."""

    @property
    def sql(self) -> DatabaseSql | None:
        """The way to the databases themselves; None where no setting says how."""
        ...

    def home(self, project: str) -> Home:
        """Its organization, and its version of PostgreSQL."""
        ...

    def replicas(self, project: str, organization: str) -> Sequence[Replica]:
        """Its read replicas, in the vendor's order, also those that are coming or going."""
        ...

    def setup_replica(self, project: str, region: str) -> None:
        """Ask for one more read replica. The vendor does not say how it will be named."""
        ...

    def remove_replica(self, project: str, identifier: str) -> None:
        """Ask for the end of a read replica."""
        ...

    def addresses(self, project: str) -> Mapping[str, Address]:
        """Where its databases are reached, by their identifiers; the primary's is the ref."""
        ...

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
