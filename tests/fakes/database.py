"""A Supabase project in memory: a resize begins a little later and takes a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.errors import FailureKind, VendorError
from service.ports.supabase import (
    Address,
    ComputeState,
    Home,
    Mark,
    Replica,
    ServiceHealth,
    Sight,
)
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, not_found, vendor_error

PRICES = {"ci_micro": 10.0, "ci_small": 15.0, "ci_medium": 60.0, "ci_large": 110.0}
"""Dollars a month, by compute size."""


@dataclass(slots=True)
class FakeReplica:
    """A read replica, healthy from `ready_at` on; `sight` is what it shows of any mark."""

    region: str
    ready_at: float
    fails: bool = False
    readers: int = 0
    sight: Sight = field(default_factory=lambda: Sight(True, 0, 0.0, SYSTEM, 60, "25006"))


@dataclass(slots=True)
class FakeSql:
    """The databases of the project over SQL; `mute` is why they can't be asked."""

    database: FakeDatabase
    mute: VendorError | None = None
    heartbeats: int = 0

    def heartbeat(self, primary: Address) -> Mark:
        self.database.started_at(primary.identifier)
        self._heard()
        self.heartbeats += 1
        return Mark(f"0/{self.heartbeats}", SYSTEM, self.database.connections)

    def sight(self, replica: Address, mark: Mark) -> Sight:
        return self._replica(replica).sight

    def readers(self, replica: Address, roles: Sequence[str]) -> int:
        if replica.identifier == self.database.project:
            return 1
        return self._replica(replica).readers

    def _heard(self) -> None:
        if self.mute is not None:
            raise self.mute

    def _replica(self, at: Address) -> FakeReplica:
        self._heard()
        found = self.database.copies.get(at.identifier)
        if found is None or self.database.status_of(found) != "ACTIVE_HEALTHY":
            raise vendor_error(FailureKind.TEMPORARY, "it is not up", status=503)
        return found


SYSTEM = "7300000000000000001"
"""The identifier of the system that primary and replicas are of."""


@dataclass(slots=True)
class FakeDatabase:
    """One project. After a resize it stays healthy for `begins_s` (the vendor takes a moment),
    then it is RESIZING for `takes_s`; `ill` names services that do not answer.
    `began_at` is when its database was started; `mute` is why that can't be asked."""

    clock: FakeClock
    project: str = "project-1"
    variant: str = "ci_micro"
    status: str = "ACTIVE_HEALTHY"
    begins_s: float = 1.0
    takes_s: float = 120.0
    ill: set[str] = field(default_factory=set)
    began_at: float = 0.0
    mute: VendorError | None = None
    writes: Writes = field(default_factory=Writes)
    pool: int | None = 15
    """Its pooler's size; None where the vendor chooses."""
    connections: int = 60
    """Its max_connections."""
    engine: int | None = 15
    copies: dict[str, FakeReplica] = field(default_factory=dict)
    """Its read replicas by identifier, the oldest first."""
    copy_takes_s: float = 600.0
    next_fails: bool = False
    """Whether the next replica will not come up."""
    reached: bool = True
    """Whether a setting says how its databases are reached over SQL."""
    asked: FakeSql = field(init=False)
    _copies_made: int = 0
    healthy_at: float | None = None
    """When a restart that is under way ends."""
    resized_while: list[str] = field(default_factory=list)
    _begins: float = 0.0
    _ends: float = 0.0
    _next: str | None = None

    def __post_init__(self) -> None:
        self.asked = FakeSql(self)

    @property
    def sql(self) -> FakeSql | None:
        return self.asked if self.reached else None

    def home(self, project: str) -> Home:
        self._require(project)
        return Home("quizmentor", self.engine)

    def replicas(self, project: str, organization: str) -> Sequence[Replica]:
        self._require(project)
        return [Replica(name, one.region, self.status_of(one)) for name, one in self.copies.items()]

    def status_of(self, replica: FakeReplica) -> str:
        if self.clock.time() < replica.ready_at:
            return "INIT_READ_REPLICA"
        return "INIT_READ_REPLICA_FAILED" if replica.fails else "ACTIVE_HEALTHY"

    def setup_replica(self, project: str, region: str) -> None:
        self._require(project)
        self.writes.send("setup_replica", lambda: self.add_copy(region), self.clock.time())

    def add_copy(self, region: str, *, ready: bool = False) -> str:
        """What a setup, or a person at the dashboard, sets off."""
        most = 0 if self.variant in ("", "ci_micro") else 2
        if len(self.copies) >= most:
            raise vendor_error(FailureKind.PERMANENT, "no more replicas", status=400)
        self._copies_made += 1
        name = f"{self.project}-rr-{region}-{self._copies_made}"
        ready_at = self.clock.time() + (0.0 if ready else self.copy_takes_s)
        self.copies[name] = FakeReplica(region, ready_at, fails=self.next_fails)
        return name

    def remove_replica(self, project: str, identifier: str) -> None:
        self._require(project)
        self.writes.send("remove_replica", lambda: self.drop_copy(identifier), self.clock.time())

    def drop_copy(self, identifier: str) -> None:
        """What a removal sets off."""
        if identifier not in self.copies:
            raise not_found()
        del self.copies[identifier]

    def addresses(self, project: str) -> Mapping[str, Address]:
        self._require(project)
        names = (self.project, *self.copies)
        return {each: Address(each, "pooler.example", f"postgres.{each}") for each in names}

    def get(self, project: str) -> ComputeState:
        self._require(project)
        return ComputeState(project, self.variant, self.status, PRICES)

    def started_at(self, project: str) -> float:
        self._require(project)
        if self.mute is not None:
            raise self.mute
        if self.status != "ACTIVE_HEALTHY":
            raise vendor_error(FailureKind.TEMPORARY, "the database is starting", status=503)
        return self.began_at

    def max_connections(self, project: str) -> int:
        self.started_at(project)
        return self.connections

    def pool_size(self, project: str) -> int | None:
        self._require(project)
        return self.pool

    def set_pool_size(self, project: str, size: int | None) -> None:
        self._require(project)
        self.writes.send("set_pool_size", lambda: self._pool_is(size), self.clock.time())

    def _pool_is(self, size: int | None) -> None:
        if size is not None and not 0 <= size <= 3000:
            raise vendor_error(FailureKind.PERMANENT, "no such size", status=400)
        self.pool = size

    def resize(self, project: str, variant: str) -> None:
        self._require(project)
        self.writes.send("resize", lambda: self.start(variant), self.clock.time())

    def start(self, variant: str) -> None:
        """What a write, or a person at the dashboard, sets off."""
        if self.status != "ACTIVE_HEALTHY":
            raise vendor_error(FailureKind.PERMANENT, f"it is {self.status}", status=409)
        if variant not in PRICES:
            raise vendor_error(FailureKind.PERMANENT, "there is no such size", status=400)
        self.resized_while.append(self.status)
        self._begins = self.clock.time() + self.begins_s
        self._ends = self._begins + self.takes_s
        self._next = variant

    def health(self, project: str) -> Sequence[ServiceHealth]:
        self._require(project)
        away = {"db", "pooler"} if self.status != "ACTIVE_HEALTHY" else self.ill
        return [
            ServiceHealth(name, name not in away, "does not answer" if name in away else "")
            for name in ("db", "pooler")
        ]

    def _require(self, project: str) -> None:
        self._settle()
        if project != self.project:
            raise not_found()

    def _settle(self) -> None:
        self.writes.land(self.clock.time())
        if self.healthy_at is not None and self.clock.time() >= self.healthy_at:
            self.healthy_at, self.status = None, "ACTIVE_HEALTHY"
        if self._next is None or self.clock.time() < self._begins:
            return
        self.status = "RESIZING"
        if self.clock.time() >= self._ends:
            self.variant, self._next, self.status = self._next, None, "ACTIVE_HEALTHY"
            self.began_at = self._ends
