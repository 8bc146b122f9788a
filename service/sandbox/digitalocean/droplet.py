"""The state of one droplet: its size, its power, its snapshots and its actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf

from service.sandbox.digitalocean.sizes import DROPLET_SIZES, DropletSize

TYPES = frozenset(
    {"snapshot", "shutdown", "power_off", "power_on", "power_cycle", "reboot", "resize", "rename"}
)
"""The types of actions that this sandbox carries out. The vendor has more."""

OUTCOMES = ("completed", "errored", "no_effect", "hangs")
"""How an accepted action may end: as requested; with the status `errored`; completed, but without
its effect (a shutdown that the guest ignores); or only when a person ends it."""

_NEEDS_ON = frozenset({"shutdown", "power_off", "power_cycle", "reboot"})


class ActionRefusedError(ValueError):
    """The vendor's sentence for an action that it does not start."""


@dataclass(frozen=True, slots=True)
class Request:
    """A requested action. Its type decides which of `size`, `disk` and `name` count."""

    type: str
    size: str | None = None
    disk: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Durations:
    """How many seconds actions take: `base`, or the number in `by_type`.

    `per_gb` adds seconds for each used gigabyte of the disk, by type. DigitalOcean documents 1 to 3
    minutes for a snapshot and up to 1 minute for a resize.
    """

    base: float
    by_type: Mapping[str, float] = field(default_factory=dict)
    per_gb: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str, used_gb: float) -> float:
        """The seconds that an action of this type takes, at `used_gb` of used disk."""
        return self.by_type.get(kind, self.base) + used_gb * self.per_gb.get(kind, 0.0)


@dataclass(slots=True)
class Action:
    """One action. It is in progress until `ends_at`, and then ends as `outcome` says."""

    id: int
    request: Request
    started_at: float
    ends_at: float
    outcome: str = "completed"
    completed_at: float | None = None

    @property
    def status(self) -> str:
        """The vendor's word for its state."""
        if self.completed_at is None:
            return "in-progress"
        return "errored" if self.outcome == "errored" else "completed"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot. `size_gb` is the used part of the disk."""

    id: int
    name: str
    created_at: float
    min_disk_gb: int
    size_gb: float


@dataclass(slots=True)
class Droplet:
    """A droplet with its actions, newest first.

    `used_gb` is the used part of the disk. `region_sizes` are the sizes on sale in its region.
    `too_large` are sizes that do not fit on the droplet's server, which no list of the vendor
    shows.
    """

    id: int
    name: str
    size: str
    created_at: float
    disk_gb: int
    status: str = "active"
    used_gb: float = 2.36
    region_sizes: Collection[str] = tuple(DROPLET_SIZES)
    too_large: Collection[str] = ()
    tags: Collection[str] = ("quizmentor",)
    snapshots: list[Snapshot] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    @property
    def spec(self) -> DropletSize:
        """The present size."""
        return DROPLET_SIZES[self.size]

    @property
    def under_way(self) -> Action | None:
        """The action that is in progress. There is at most one."""
        newest = self.actions[0] if self.actions else None
        return newest if newest and newest.completed_at is None else None

    def find(self, action_id: int) -> Action | None:
        """An action of this droplet by its id."""
        return next((one for one in self.actions if one.id == action_id), None)

    def start(
        self, request: Request, now: float, durations: Durations, action_id: int, outcome: str = ""
    ) -> Action:
        """Start an action. `outcome` is one of OUTCOMES; empty means completed.

        Raises:
            ActionRefusedError: the vendor would refuse it.
        """
        self._refuse(request)
        seconds = inf if outcome == "hangs" else durations.of(request.type, self.used_gb)
        action = Action(action_id, request, now, now + seconds, outcome or "completed")
        self.actions.insert(0, action)
        return action

    def end(self, outcome: str, now: float) -> None:
        """End the action that is in progress now. Nothing happens if there is none."""
        if one := self.under_way:
            one.outcome, one.ends_at = outcome, now
            self.settle(now)

    def next_due(self) -> float | None:
        """When this droplet changes next by itself. None if it does not."""
        one = self.under_way
        return one.ends_at if one and one.ends_at < inf else None

    def settle(self, now: float) -> None:
        """End an action whose time has come, and let it take effect."""
        one = self.under_way
        if one is None or one.ends_at > now:
            return
        one.completed_at = one.ends_at
        if one.outcome not in ("errored", "no_effect"):
            self._take_effect(one)

    def _refuse(self, request: Request) -> None:
        if self.under_way:
            raise ActionRefusedError("Droplet already has a pending event.")
        if request.type in _NEEDS_ON and self.status == "off":
            raise ActionRefusedError("Droplet is already powered off.")
        if request.type == "power_on" and self.status == "active":
            raise ActionRefusedError("Droplet is already powered on.")
        if request.type == "resize":
            self._refuse_resize(request.size)
        if request.type == "rename" and not request.name:
            raise ActionRefusedError("A new name is required to rename a Droplet.")

    def _refuse_resize(self, slug: str | None) -> None:
        if slug not in DROPLET_SIZES:
            raise ActionRefusedError("You specified an invalid size for Droplet resize.")
        if slug not in self.region_sizes:
            raise ActionRefusedError("Size is not available in this region.")
        if self.status != "off":
            raise ActionRefusedError(
                "Droplet is currently on. Please power it off to run this event."
            )
        if slug == self.size:
            raise ActionRefusedError("Droplet already has the size that was asked for.")
        if DROPLET_SIZES[slug].disk_gb < self.disk_gb:
            raise ActionRefusedError("Size can not be smaller than the Droplet's disk.")
        if slug in self.too_large:
            raise ActionRefusedError("Size is too large to fit on your droplet's server.")

    def _take_effect(self, action: Action) -> None:
        request = action.request
        match request.type:
            case "shutdown" | "power_off":
                self.status = "off"
            case "power_on" | "power_cycle" | "reboot":
                self.status = "active"
            case "resize":
                self._resize(str(request.size), disk=request.disk)
            case "rename":
                self.name = str(request.name)
            case "snapshot":
                self._snapshot(action)

    def _resize(self, slug: str, *, disk: bool) -> None:
        self.size = slug
        if disk:
            self.disk_gb = DROPLET_SIZES[slug].disk_gb

    def _snapshot(self, action: Action) -> None:
        name = action.request.name or f"{self.name}-{round(action.started_at * 1000)}"
        at = action.completed_at or action.ends_at
        self.snapshots.append(
            Snapshot(action.id + 50_000_000, name, at, self.disk_gb, self.used_gb)
        )
