"""The state of one managed Valkey cluster: its size, its nodes and its eviction policy."""

from __future__ import annotations

from dataclasses import dataclass

POLICIES = (
    "noeviction",
    "allkeys_lru",
    "allkeys_random",
    "volatile_lru",
    "volatile_random",
    "volatile_ttl",
)
SIZES = {
    "db-s-1vcpu-1gb": 1,
    "db-s-1vcpu-2gb": 2,
    "db-s-2vcpu-4gb": 4,
    "db-s-4vcpu-8gb": 8,
    "db-s-6vcpu-16gb": 16,
    "db-s-8vcpu-32gb": 32,
    "db-s-16vcpu-64gb": 64,
}
"""Gigabytes of memory by size."""
MOST_NODES = 2
"""A Valkey cluster has one standby at most, and needs 2 GB for it (DigitalOcean's documents)."""
NODE_GB = 2
BEGINS_AFTER = 3 / 300
"""How long a cluster still says `online` after the answer to a resize, as a share of the resize.
The vendor's own client waits for that to end: some seconds of some minutes."""


class ClusterRefusedError(ValueError):
    """Why DigitalOcean refuses. `status` and `error_id` are those of its answer."""

    def __init__(self, status: int, error_id: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.error_id = error_id


@dataclass(slots=True)
class Cluster:
    """One cluster. `size` and `nodes` are what runs, `ordered` what it is on its way to.

    From `begins_at` until `ends_at` it is resizing. `server` is the address of a Valkey that stands
    behind it, host and port; empty: nothing answers there. `held` is a status that somebody has
    set, such as migrating.
    """

    size: str = "db-s-1vcpu-1gb"
    nodes: int = 1
    policy: str = "noeviction"
    ordered: tuple[str, int] | None = None
    begins_at: float = 0.0
    ends_at: float = 0.0
    host: str = ""
    port: int = 0
    password: str = ""
    held: str = ""
    engine: str = "valkey"

    def status(self, now: float) -> str:
        """The vendor's word for its state."""
        self.settle(now)
        if self.held:
            return self.held
        return "resizing" if self.ordered and now >= self.begins_at else "online"

    def settle(self, now: float) -> None:
        """End a resize whose time has come."""
        if self.ordered and now >= self.ends_at:
            (self.size, self.nodes), self.ordered = self.ordered, None

    def resize(self, size: object, nodes: object, now: float, seconds: float) -> None:
        """Begin a resize. One to what runs already changes nothing.

        Raises:
            ClusterRefusedError: the cluster is busy, or the vendor does not sell that.
        """
        self._refuse_when_busy(now)
        if not isinstance(size, str) or size not in SIZES:
            raise _invalid("invalid size")
        if type(nodes) is not int or not 1 <= nodes <= MOST_NODES:
            raise _invalid(f"num_nodes must be from 1 to {MOST_NODES}")
        if nodes > 1 and SIZES[size] < NODE_GB:
            raise _invalid(f"standby nodes need a plan with {NODE_GB} GB of memory or more")
        if (size, nodes) == (self.size, self.nodes):
            return
        self.ordered = (size, nodes)
        self.begins_at = now + seconds * BEGINS_AFTER
        self.ends_at = now + seconds

    def set_policy(self, policy: object, now: float) -> None:
        """Set the eviction policy.

        Raises:
            ClusterRefusedError: the cluster is busy, or there is no such policy.
        """
        self._refuse_when_busy(now)
        if not isinstance(policy, str) or policy not in POLICIES:
            raise _invalid("invalid eviction policy")
        self.policy = policy

    def _refuse_when_busy(self, now: float) -> None:
        if self.status(now) != "online" or self.ordered:
            raise ClusterRefusedError(
                412,
                "precondition_failed",
                "update cluster cannot be performed. Reason: cluster is undergoing maintenance",
            )


def _invalid(reason: str) -> ClusterRefusedError:
    return ClusterRefusedError(422, "unprocessable_entity", reason)
