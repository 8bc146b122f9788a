"""Managed Valkey clusters of DigitalOcean (docs/vendors.md): what a look shows, and what is asked.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK. No answer holds a
password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ClusterState:
    """A cluster as the vendor's API shows it.

    `engine` is `valkey` for ours. `nodes` are the primary and its standbys. `status` is `online`
    for a cluster that serves. `policy` is its eviction policy, such as `volatile_lru`.
    """

    cluster: str
    name: str
    engine: str
    size: str
    nodes: int
    status: str
    policy: str


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the cluster's primary says of itself.

    `ids` tell it from every other server: its run, and the replication that it belongs to. `keys`
    and `expiring` count all keys, and those with a time to live. `used_bytes` is what its data
    takes. `policy` is the eviction policy that it works by, in the API's spelling.
    """

    ids: frozenset[str]
    keys: int
    expiring: int
    used_bytes: int
    policy: str


class ValkeyClusters(Protocol):
    """The vendor's API of clusters, and the servers behind it."""

    def get(self, cluster: str) -> ClusterState:
        """The cluster as it is now."""
        ...

    def server(self, cluster: str) -> ServerFacts:
        """What its primary says, asked over the cluster's own address."""
        ...

    def own(self) -> frozenset[str]:
        """The ids of runbookd's own Redis. Empty where it has none, or one on a socket of this
        machine, which is no cluster of the vendor."""
        ...

    def resize(self, cluster: str, size: str, nodes: int) -> None:
        """Ask for a size and a number of nodes; the change takes minutes."""
        ...

    def set_policy(self, cluster: str, policy: str) -> None:
        """Set the eviction policy, which holds at once."""
        ...
