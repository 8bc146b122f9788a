"""A managed Valkey cluster in memory: a resize begins a little later and takes minutes."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domain.errors import FailureKind, VendorError
from service.ports.valkey import ClusterState, ServerFacts
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, not_found, vendor_error

CLUSTER = "9cc10173-0c0d-4e1f-8c0d-5eed00000001"
SIZES = ("db-s-1vcpu-1gb", "db-s-1vcpu-2gb", "db-s-2vcpu-4gb")
POLICIES = ("noeviction", "allkeys_lru", "allkeys_random", "volatile_lru", "volatile_ttl")


@dataclass(slots=True)
class FakeClusters:
    """One cluster. After a resize it stays online for `begins_s`, then it resizes for `takes_s`.

    `own_ids` are those of runbookd's own Redis. `mute` is why the cluster's server cannot be asked,
    and `own_mute` why runbookd's cannot.
    """

    clock: FakeClock
    cluster: str = CLUSTER
    size: str = SIZES[0]
    nodes: int = 1
    policy: str = "noeviction"
    status: str = "online"
    engine: str = "valkey"
    begins_s: float = 5.0
    takes_s: float = 300.0
    ids: frozenset[str] = frozenset({"run-1", "replication-1"})
    own_ids: frozenset[str] = frozenset()
    keys: int = 0
    expiring: int = 0
    used_bytes: int = 0
    mute: VendorError | None = None
    own_mute: VendorError | None = None
    deaf: bool = False
    """Whether the server goes on working by the policy of before."""
    writes: Writes = field(default_factory=Writes)
    _begins: float = 0.0
    _next: tuple[str, int] | None = None
    _server_policy: str = "noeviction"

    def get(self, cluster: str) -> ClusterState:
        self._require(cluster)
        return ClusterState(
            cluster, "cache", self.engine, self.size, self.nodes, self.status, self.policy
        )

    def server(self, cluster: str) -> ServerFacts:
        self._require(cluster)
        if self.mute is not None:
            raise self.mute
        policy = self._server_policy if self.deaf else self.policy
        return ServerFacts(self.ids, self.keys, self.expiring, self.used_bytes, policy)

    def own(self) -> frozenset[str]:
        if self.own_mute is not None:
            raise self.own_mute
        return self.own_ids

    def resize(self, cluster: str, size: str, nodes: int) -> None:
        self._require(cluster)
        self.writes.send("resize", lambda: self.start(size, nodes), self.clock.time())

    def set_policy(self, cluster: str, policy: str) -> None:
        self._require(cluster)
        self.writes.send("set_policy", lambda: self.put_policy(policy), self.clock.time())

    def start(self, size: str, nodes: int) -> None:
        """What a resize, or a person in the control panel, sets off."""
        self._refuse_when_busy()
        if size not in SIZES or (nodes > 1 and size == SIZES[0]):
            raise vendor_error(FailureKind.PERMANENT, "it is not sold", status=422)
        self._begins, self._next = self.clock.time() + self.begins_s, (size, nodes)

    def put_policy(self, policy: str) -> None:
        """What a write, or a person, sets."""
        self._refuse_when_busy()
        if policy not in POLICIES:
            raise vendor_error(FailureKind.PERMANENT, "there is no such policy", status=422)
        self._server_policy, self.policy = self.policy, policy

    def _refuse_when_busy(self) -> None:
        if self.status != "online" or self._next:
            raise vendor_error(FailureKind.PERMANENT, "it is undergoing maintenance", status=412)

    def _require(self, cluster: str) -> None:
        self.writes.land(self.clock.time())
        if cluster != self.cluster:
            raise not_found()
        if self._next is None or self.clock.time() < self._begins:
            return
        self.status = "resizing"
        if self.clock.time() >= self._begins + self.takes_s:
            (self.size, self.nodes), self._next, self.status = self._next, None, "online"
