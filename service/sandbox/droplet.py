"""The state of one droplet: its size, its power, its snapshots and the actions taken on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.sandbox.catalogue import DROPLET_SIZES, DropletSize

TYPES = frozenset(
    {"snapshot", "shutdown", "power_off", "power_on", "power_cycle", "reboot", "resize", "rename"}
)
"""The action types this sandbox carries out; the vendor knows more."""

_NEEDS_ON = frozenset({"shutdown", "power_off", "power_cycle", "reboot"})


class ActionRefusedError(ValueError):
    """The vendor's sentence for an action it does not start."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a droplet; `size`, `disk` and `name` as the action type uses them."""

    type: str
    size: str | None = None
    disk: bool = False
    name: str | None = None


@dataclass(slots=True)
class Action:
    """One action: in progress until `ends_at`, when it takes effect."""

    id: int
    request: Request
    started_at: float
    ends_at: float
    completed_at: float | None = None

    @property
    def status(self) -> str:
        """The vendor's word for how far it is."""
        return "in-progress" if self.completed_at is None else "completed"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot; its size is that of the disk's used part."""

    id: int
    name: str
    created_at: float
    min_disk_gb: int
    size_gb: float


@dataclass(slots=True)
class Droplet:
    """A droplet with its actions, newest first. Only `start` and `settle` change it."""

    id: int
    name: str
    size: str
    created_at: float
    disk_gb: int
    status: str = "active"
    snapshots: list[Snapshot] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    @property
    def spec(self) -> DropletSize:
        """What the present size holds."""
        return DROPLET_SIZES[self.size]

    @property
    def under_way(self) -> Action | None:
        """The action in progress; there is at most one."""
        newest = self.actions[0] if self.actions else None
        return newest if newest and newest.completed_at is None else None

    def find(self, action_id: int) -> Action | None:
        """An action of this droplet by its id."""
        return next((one for one in self.actions if one.id == action_id), None)

    def start(self, request: Request, now: float, seconds: float, action_id: int) -> Action:
        """Begin an action, or raise ActionRefusedError as the vendor would."""
        self._refuse(request)
        action = Action(action_id, request, now, now + seconds)
        self.actions.insert(0, action)
        return action

    def next_due(self) -> float | None:
        """When this droplet changes next by itself, or None."""
        return one.ends_at if (one := self.under_way) else None

    def settle(self, now: float) -> None:
        """Let the action whose time has come take effect."""
        one = self.under_way
        if one is None or one.ends_at > now:
            return
        one.completed_at = one.ends_at
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
        if self.status != "off":
            raise ActionRefusedError(
                "Droplet is currently on. Please power it off to run this event."
            )
        if slug == self.size:
            raise ActionRefusedError("Droplet already has the size that was asked for.")
        if DROPLET_SIZES[slug].disk_gb < self.disk_gb:
            raise ActionRefusedError("Size can not be smaller than the Droplet's disk.")

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
        self.snapshots.append(Snapshot(action.id + 50_000_000, name, at, self.disk_gb, 2.36))
