"""The state of one Supabase project: its compute size, replicas, pooler and Postgres settings."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from service.sandbox.core.wire import Json
from service.sandbox.supabase.sizes import COMPUTE_SIZES, ComputeSize

SMALLEST_PAID = "ci_micro"
"""The compute of a paid project whose add-on is removed."""


_LEAST_ENGINE = 15


class ProjectRefusedError(ValueError):
    """Why Supabase refuses. `status` is the HTTP status of its answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Replica:
    """A read replica. It is healthy from `ready_at` on."""

    identifier: str
    region: str
    ready_at: float
    behind_bytes: int = 0
    """What it has not replayed; more than 0 for one whose replay is paused."""
    readers: int = 0
    """Connections of the application."""
    fails: bool = False

    def status(self, now: float) -> str:
        """The vendor's word for its state."""
        if now < self.ready_at:
            return "INIT_READ_REPLICA"
        return "INIT_READ_REPLICA_FAILED" if self.fails else "ACTIVE_HEALTHY"


@dataclass(slots=True)
class Project:
    """A project. `compute` is the size that runs, `ordered` the size that is billed.

    After an order, the project stays healthy until `restart_at`. Then it is RESIZING until
    `busy_until`. `started_at` is when its database was last started. `restart_after` is how many
    seconds it stays up after an order, or None for the usual time. A `nano` project has no compute
    add-on until one is ordered. `hourly` says that compute is quoted by the hour.
    """

    ref: str
    created_at: float
    compute: str = SMALLEST_PAID
    ordered: str = SMALLEST_PAID
    status: str = "ACTIVE_HEALTHY"
    busy_until: float | None = None
    restart_at: float | None = None
    started_at: float = 0.0
    restart_after: float | None = None
    nano: bool = False
    hourly: bool = False
    engine: str = "15"
    log_position: int = 0
    """How much its database has written, in bytes."""
    addons: dict[str, str] = field(default_factory=dict)
    replicas: list[Replica] = field(default_factory=list)
    pool_size: int | None = 15
    pool_mode: str = "transaction"
    settings: Json = field(default_factory=dict)

    @property
    def size(self) -> ComputeSize:
        """The present compute size."""
        return COMPUTE_SIZES[self.compute]

    @property
    def max_connections(self) -> int:
        """Direct connections that the database takes: the setting's number, or the size's."""
        return int(self.settings.get("max_connections", self.size.max_connections))

    def resize(self, variant: str, now: float, seconds: float, begins_s: float = 0.0) -> None:
        """Order another compute size. Ordering the present one changes nothing.

        The database goes down after `begins_s` seconds, for `seconds`.

        Raises:
            ProjectRefusedError: the project is busy, or the size does not exist or is too small.
        """
        self._refuse_when_busy()
        if variant not in COMPUTE_SIZES:
            raise ProjectRefusedError(400, f"{variant} is not a compute size of this sandbox")
        if variant == self.compute and not self.nano:
            return
        if len(self.replicas) > COMPUTE_SIZES[variant].max_replicas:
            raise ProjectRefusedError(
                400, f"{variant} is too small for the project's read replicas"
            )
        self.ordered, self.nano = variant, False
        self.restart_at, self.busy_until = now + begins_s, now + begins_s + seconds
        self.settle(now)

    def restart(self, now: float, seconds: float) -> None:
        """Restart the database, as a change of its settings does."""
        self.status, self.busy_until = "RESTARTING", now + seconds

    def configure(self, settings: Json, now: float, seconds: float, *, restart: bool) -> None:
        """Replace the Postgres settings."""
        self._refuse_when_busy()
        self.settings = settings
        if restart:
            self.restart(now, seconds)

    def add_replica(self, region: str, now: float, seconds: float) -> None:
        """Set up a read replica, within the limits of the compute size."""
        self._refuse_when_busy()
        if int(self.engine) < _LEAST_ENGINE:
            raise ProjectRefusedError(400, "Read replicas need Postgres 15 or newer")
        if self.nano or self.size.max_replicas == 0:
            raise ProjectRefusedError(400, "Read replicas need a compute size of Small or larger")
        if len(self.replicas) >= self.size.max_replicas:
            most = self.size.max_replicas
            raise ProjectRefusedError(
                400, f"{self.size.name} compute has at most {most} read replicas"
            )
        tail = "".join(random.choices(string.ascii_lowercase, k=6))  # noqa: S311 - a name
        self.replicas.append(Replica(f"{self.ref}-rr-{region}-{tail}", region, now + seconds))

    def remove_replica(self, identifier: str) -> None:
        """Remove a read replica.

        Raises:
            ProjectRefusedError: there is no such replica.
        """
        kept = [one for one in self.replicas if one.identifier != identifier]
        if len(kept) == len(self.replicas):
            raise ProjectRefusedError(404, f"There is no read replica {identifier}")
        self.replicas = kept

    def next_due(self) -> float | None:
        """When this project changes next by itself. None if it does not."""
        return self.busy_until if self.restart_at is None else self.restart_at

    def settle(self, now: float) -> None:
        """Begin and end a resize or restart whose time has come."""
        if self.restart_at is not None and self.restart_at <= now:
            self.restart_at, self.status = None, "RESIZING"
        if self.busy_until is not None and self.busy_until <= now:
            self.started_at, self.busy_until = self.busy_until, None
            self.compute, self.status = self.ordered, "ACTIVE_HEALTHY"

    def _refuse_when_busy(self) -> None:
        if self.status != "ACTIVE_HEALTHY" or self.restart_at is not None:
            raise ProjectRefusedError(
                409, f"The project is {self.status}; try again when it is healthy"
            )
