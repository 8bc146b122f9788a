"""A cluster of Valkey or Redis nodes that people run themselves: what each node says, and what is
asked of it.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK. No answer holds a
password. An `address` is `host:port`, as CACHE_CLUSTER_URLS has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SLOTS = 16384
"""How many slots a cluster has, whatever its size (the cluster's specification)."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the cluster as another one knows it.

    `at` is the address by which nodes reach it, `bus` the port of the cluster's own protocol.
    `flags` are such as `master` and `fail?`. `primary` is the id of the node that it copies, empty
    for a primary. `ranges` are the first and last of the slots that it owns.
    """

    id: str
    at: str
    bus: int
    flags: frozenset[str]
    primary: str = ""
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as one node, `me`, sees it. `leaving` and `coming` are its own slots that are on
    their way, with the id of the other node."""

    me: str
    members: tuple[Member, ...]
    leaving: Mapping[int, str] = field(default_factory=dict)
    coming: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node says of itself.

    `ids` tell its server from every other one, and its copies with it. `view` is None where it is
    no node of a cluster. `state` is its cluster_state. `maxmemory` is in bytes, 0 for no limit.
    `policy` is the eviction policy in the server's own spelling. `has_file` is whether it keeps its
    settings in a file. `keys` counts all its keys, `expiring` those with a time to live.
    `machine_bytes` is the memory of its machine; 0 where it does not tell.
    """

    address: str
    ids: frozenset[str]
    view: View | None
    state: str
    maxmemory: int
    policy: str
    has_file: bool
    keys: int
    expiring: int
    used_bytes: int
    machine_bytes: int


class ClusterNodes(Protocol):
    """The nodes that CACHE_CLUSTER_URLS names."""

    def addresses(self) -> Sequence[str]:
        """Where they are. Permanent where the setting is missing or wrong."""
        ...

    def node(self, address: str) -> NodeState:
        """One node as it is now."""
        ...

    def view(self, address: str) -> View:
        """The cluster as one node sees it now."""
        ...

    def own(self) -> frozenset[str]:
        """The ids of runbookd's own Redis, empty where it has none."""
        ...

    def set(self, address: str, name: str, value: str) -> None:
        """Set `maxmemory` or `maxmemory-policy` of the running server."""
        ...

    def keep(self, address: str) -> None:
        """Write the settings of the running server to its file."""
        ...

    def meet(self, address: str, member: Member) -> None:
        """Have a node join the cluster of `member`."""
        ...

    def importing(self, address: str, slots: Sequence[int], source: str) -> None:
        """Have a node expect slots from the node with the id `source`."""
        ...

    def migrating(self, address: str, slots: Sequence[int], target: str) -> None:
        """Have the owner of slots send for what it lacks of them to the node `target`."""
        ...

    def keys_in(self, address: str, slots: Sequence[int], count: int) -> Sequence[Sequence[bytes]]:
        """At most `count` keys of each of the slots."""
        ...

    def move_keys(self, address: str, to: str, member: Member, keys: Sequence[bytes]) -> None:
        """Move keys of one slot to the node at the address `to`, which is `member` to others."""
        ...

    def assign(self, address: str, slots: Sequence[int], owner: str) -> None:
        """Tell a node that slots belong to the node with the id `owner`."""
        ...
