"""How many connections an application asks a database for, and what of that fits.

Every instance has a pool of its own. So what counts is the pool's maximum times the most instances
that scaling may reach, and not what is open on a quiet day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHARE = 0.8
"""Of a server's connections that pools may take. The rest is for peaks of administration, and for
the minutes of a deployment in which old and new instances run side by side."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: `instances` at their most, each with at most `per_instance` connections,
    and beside them connections for `migrations` and for administration (`admin`)."""

    instances: int
    per_instance: int
    migrations: int = 2
    admin: int = 5

    @property
    def pools(self) -> int:
        """The connections of all instances together."""
        return self.instances * self.per_instance

    @property
    def beside(self) -> int:
        """The connections that are not the instances'."""
        return self.migrations + self.admin

    @property
    def total(self) -> int:
        """All of them."""
        return self.pools + self.beside


@dataclass(frozen=True, slots=True)
class Server:
    """PostgreSQL's bound: `max_connections`, of which `reserved` are for superusers
    (`superuser_reserved_connections`, 3 unless it was changed)."""

    max_connections: int
    reserved: int = 3

    @property
    def usable(self) -> int:
        """The connections that may be planned with."""
        return int((self.max_connections - self.reserved) * SHARE)


@dataclass(frozen=True, slots=True)
class Pooler:
    """A pooler between them: at most `clients` connect to it, and it opens at most `size`
    connections to the server (PgBouncer: max_client_conn, default_pool_size)."""

    size: int
    clients: int


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound: what is `asked`, what is `allowed`, and the `name` of the setting that says so."""

    name: str
    asked: int
    allowed: int

    @property
    def holds(self) -> bool:
        """Whether what is asked fits."""
        return self.asked <= self.allowed

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.holds:
            return f"{self.asked:,} of {self.allowed:,} that {self.name} allows."
        return (
            f"{self.asked:,} do not fit in the {self.allowed:,} that {self.name} allows: "
            f"{self.asked - self.allowed:,} too many."
        )


def bounds(demand: Demand, server: Server, pooler: Pooler | None) -> Sequence[Bound]:
    """The bounds that the demand meets, the server's last."""
    name = f"max_connections = {server.max_connections}"
    if pooler is None:
        return [Bound(name, demand.total, server.usable)]
    return [
        Bound("the pooler's max_client_conn", demand.pools, pooler.clients),
        Bound(name, pooler.size + demand.beside, server.usable),
    ]


def most_per_instance(demand: Demand, server: Server, pooler: Pooler | None) -> int:
    """The largest pool that each instance may have; 0 where not even one connection fits."""
    allowed = server.usable - demand.beside if pooler is None else pooler.clients
    return max(0, allowed // demand.instances)


def most_pool_size(demand: Demand, server: Server) -> int:
    """The most connections that a pooler may open to the server."""
    return max(0, server.usable - demand.beside)
