"""Droplets in memory: one action at a time, each takes a while, some are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from service.domain.errors import FailureKind, VendorError
from service.ports.droplet import DropletAction, DropletSize, DropletState
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, not_found, vendor_error

OFFERED = {
    "s-1vcpu-1gb": DropletSize("s-1vcpu-1gb", 6, 25, True),
    "s-1vcpu-2gb": DropletSize("s-1vcpu-2gb", 12, 50, True),
    "s-2vcpu-2gb": DropletSize("s-2vcpu-2gb", 18, 60, True),
    "c-2": DropletSize("c-2", 42, 25, True),
}
CPUS_AND_MEMORY = {
    "s-1vcpu-1gb": (1, 1024),
    "s-1vcpu-2gb": (1, 2048),
    "s-2vcpu-2gb": (2, 2048),
    "c-2": (2, 4096),
}
NEWEST = 20
"""Actions that the vendor lists on one page."""


@dataclass(slots=True)
class _Running:
    action: DropletAction
    ends: float
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class FakeDroplets:
    """One droplet. `refuses` maps an action to the sentence of its permanent refusal; `fails`
    names actions that end as errored, `no_effect` those that end as completed and do nothing;
    `ignores_shutdown` is a guest that stays on. `errors` maps an action to what sending it raises,
    `takes` to how many seconds it takes. `missing` is what each read raises."""

    clock: FakeClock
    droplet_id: str = "101"
    size: str = "s-1vcpu-1gb"
    status: str = "active"
    disk_gb: int = 25
    takes_s: float = 10.0
    ignores_shutdown: bool = False
    shutdown_hangs: bool = False
    refuses: dict[str, str] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    no_effect: set[str] = field(default_factory=set)
    errors: dict[str, VendorError] = field(default_factory=dict)
    takes: dict[str, float] = field(default_factory=dict)
    missing: VendorError | None = None
    snapshots: list[str] = field(default_factory=list)
    listing_lag_s: float = 0.0
    sizes_on_offer: dict[str, DropletSize] = field(default_factory=lambda: dict(OFFERED))
    writes: Writes = field(default_factory=Writes)
    actions: list[DropletAction] = field(default_factory=list)
    unreadable_until: float = 0.0
    unreadable_kind: FailureKind = FailureKind.TEMPORARY
    powered: list[tuple[float, str]] = field(default_factory=list)
    """When it went off and on."""
    _running: _Running | None = None
    _listed_at: dict[str, float] = field(default_factory=dict)

    @property
    def locked(self) -> bool:
        """Whether an action is under way."""
        return self._running is not None

    def get(self, droplet_id: str) -> DropletState:
        self._require(droplet_id)
        vcpus, memory_mb = CPUS_AND_MEMORY[self.size]
        return DropletState(
            droplet_id,
            "worker",
            self.size,
            self.status,
            self.locked,
            self.disk_gb,
            vcpus,
            memory_mb,
        )

    def snapshot_names(self, droplet_id: str) -> Sequence[str]:
        self._require(droplet_id)
        now = self.clock.time()
        return [name for name in self.snapshots if self._listed_at.get(name, 0) <= now]

    def delete_snapshot(self, droplet_id: str, name: str) -> None:
        if name in self.snapshot_names(droplet_id):
            self.snapshots.remove(name)

    def list_actions(self, droplet_id: str) -> Sequence[DropletAction]:
        self._require(droplet_id)
        return self.actions[:NEWEST]

    def get_action(self, droplet_id: str, action_id: int) -> DropletAction:
        self._require(droplet_id)
        found = [one for one in self.actions if one.id == action_id]
        if not found:
            raise not_found()
        return found[0]

    def act(self, droplet_id: str, action: str, **parameters: Any) -> DropletAction:
        self._require(droplet_id)
        return self.writes.send(action, lambda: self.start(action, **parameters), self.clock.time())

    def sizes(self) -> Mapping[str, DropletSize]:
        return self.sizes_on_offer

    def start(self, action: str, **parameters: Any) -> DropletAction:
        """What a write, or a person at the control panel, sets off."""
        self._settle()
        self._refuse(action, parameters)
        self._cut_short()
        now = self.clock.time()
        begun = DropletAction(
            1000 + len(self.actions), action, "in-progress", datetime.fromtimestamp(now, UTC)
        )
        self.actions.insert(0, begun)
        hangs = action == "shutdown" and self.shutdown_hangs
        takes_s = 1e9 if hangs else self.takes.get(action, self.takes_s)
        self._running = _Running(begun, now + takes_s, parameters)
        return begun

    def _cut_short(self) -> None:
        """A power-off ends the shutdown that hangs."""
        if self._running:
            hung = self._running.action
            self.actions.remove(hung)
            self.actions.insert(0, replace(hung, status="errored"))

    def _refuse(self, action: str, parameters: Mapping[str, Any]) -> None:
        if problem := self.errors.get(action):
            raise problem
        if sentence := self.refuses.get(action):
            raise vendor_error(FailureKind.PERMANENT, sentence)
        hanging = self._running is not None and self._running.action.type == "shutdown"
        if self._running and not (hanging and self.shutdown_hangs and action == "power_off"):
            raise vendor_error(FailureKind.TEMPORARY, "another action is under way", 5.0, 422)
        already = {"shutdown": "off", "power_off": "off", "power_on": "active"}
        if already.get(action) == self.status:
            raise vendor_error(FailureKind.PERMANENT, f"it is {self.status} already")
        if action == "resize":
            self._refuse_resize(parameters["size"])

    def _refuse_resize(self, size: str) -> None:
        if size not in self.sizes_on_offer:
            raise vendor_error(FailureKind.PERMANENT, "there is no such size")
        if self.status != "off":
            raise vendor_error(FailureKind.PERMANENT, "it is on")
        if size == self.size:
            raise vendor_error(FailureKind.PERMANENT, "it has that size")
        if self.sizes_on_offer[size].disk_gb < self.disk_gb:
            raise vendor_error(FailureKind.PERMANENT, "that size has a smaller disk")

    def _require(self, droplet_id: str) -> None:
        self._settle()
        if droplet_id != self.droplet_id:
            raise not_found()

    def _settle(self) -> None:
        if self.missing is not None:
            raise self.missing
        if self.clock.time() < self.unreadable_until:
            raise vendor_error(self.unreadable_kind, "it cannot be reached.")
        self.writes.land(self.clock.time())
        running = self._running
        if running is None or running.ends > self.clock.time():
            return
        self._running = None
        failed = running.action.type in self.fails
        ended = replace(running.action, status="errored" if failed else "completed")
        self.actions = [ended if one.id == ended.id else one for one in self.actions]
        if not failed and running.action.type not in self.no_effect:
            self._take_effect(running)

    def _take_effect(self, running: _Running) -> None:
        match running.action.type:
            case "shutdown" if not self.ignores_shutdown:
                self._power("off", running.ends)
            case "power_off":
                self._power("off", running.ends)
            case "power_on":
                self._power("active", running.ends)
            case "resize":
                self.size = running.parameters["size"]
                if running.parameters["disk"]:
                    self.disk_gb = self.sizes_on_offer[self.size].disk_gb
            case "snapshot":
                name = str(running.parameters["name"])
                self.snapshots.append(name)
                self._listed_at[name] = running.ends + self.listing_lag_s

    def _power(self, status: str, at: float) -> None:
        self.status = status
        self.powered.append((at, status))
