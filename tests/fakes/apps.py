"""App Platform in memory: deployments take time, replicas follow the active deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.domain.errors import FailureKind, VendorError
from service.ports.app_platform import AppState, ComponentHealth, Deployment, InstanceSize
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, not_found, vendor_error

SPEC: dict[str, Any] = {
    "name": "quizmentor",
    "envs": [{"key": "TOKEN", "value": "EV[1:abc:not-real]", "type": "SECRET"}],
    "services": [
        {
            "name": "api",
            "instance_count": 2,
            "instance_size_slug": "professional-xs",
            "envs": [{"key": "KEY", "value": "EV[1:def:not-real]", "type": "SECRET"}],
        },
        {"name": "web", "instance_count": 1, "instance_size_slug": "basic-xs"},
    ],
    "workers": [{"name": "mailer", "instance_size_slug": "basic-xs"}],
    "jobs": [{"name": "migrate", "instance_count": 1}],
    "static_sites": [{"name": "site"}],
}


SIZES = tuple(
    InstanceSize(slug, price, dedicated=price >= 75, single_instance_only=slug.startswith("basic"))
    for slug, price in (
        ("basic-xs", 10.0),
        ("professional-xs", 12.0),
        ("professional-s", 25.0),
        ("professional-m", 50.0),
        ("professional-l", 150.0),
    )
)
"""What the vendor sells, by its own list."""

NEWEST = 20
"""Deployments that the vendor lists on one page."""


@dataclass(slots=True)
class _Deploying:
    id: str
    spec: dict[str, Any]
    created: float
    ends: float
    outcome: str = "ACTIVE"
    phase: str = "DEPLOYING"


@dataclass(slots=True)
class FakeApps:
    """One app. `outcome` is how the next deployments end, `takes_s` how long they take;
    `unready` is how many replicas of each component never come up. `asked` are the calls.

    `slow_reads` are what happens while the next answers to `get_app`, taken before, are on their
    way for 5 s. `cpu_percent` is how busy each component is, None where no metrics are shown."""

    clock: FakeClock
    app_id: str = "app-1"
    spec: dict[str, Any] = field(default_factory=lambda: deepcopy(SPEC))
    takes_s: float = 20.0
    outcome: str = "ACTIVE"
    unready: int = 0
    writes: Writes = field(default_factory=Writes)
    deployments: list[_Deploying] = field(default_factory=list)
    reads_fail: int = 0
    asked: list[str] = field(default_factory=list)
    slow_reads: list[Callable[[], object]] = field(default_factory=list)
    sizes: Sequence[InstanceSize] = SIZES
    price_list_away: VendorError | None = None
    cpu_percent: float | None = None

    def __post_init__(self) -> None:
        self.deploy(self.spec, takes_s=0)

    def instance_sizes(self) -> Sequence[InstanceSize]:
        if self.price_list_away is not None:
            raise self.price_list_away
        self.asked.append("instance_sizes")
        return self.sizes

    def deploy(self, spec: Mapping[str, Any], *, takes_s: float | None = None) -> str:
        """What a write, or a person at the control panel, sets off."""
        now = self.clock.time()
        self.spec = deepcopy(dict(spec))
        for one in self.deployments:
            if one.phase == "DEPLOYING":
                one.phase = "SUPERSEDED"
        ends = now + (self.takes_s if takes_s is None else takes_s)
        name = f"dep-{len(self.deployments)}"
        self.deployments.insert(0, _Deploying(name, deepcopy(self.spec), now, ends, self.outcome))
        return name

    def set_count(self, component: str, count: int) -> None:
        """What a person does at the control panel; it is active at once."""
        spec = deepcopy(self.spec)
        self._component(spec, component)["instance_count"] = count
        self.deploy(spec, takes_s=0)

    def running(self, component: str) -> dict[str, Any]:
        """The component in the deployment that serves."""
        active = next(one for one in self._settled() if one.phase == "ACTIVE")
        return self._component(active.spec, component)

    def specified(self, component: str) -> dict[str, Any]:
        return self._component(self.spec, component)

    def get_app(self, app_id: str) -> AppState:
        self._require(app_id)
        deployments = self._settled()
        active = next((one.id for one in deployments if one.phase == "ACTIVE"), None)
        deploying = next((one.id for one in deployments if one.phase == "DEPLOYING"), None)
        self.asked.append("get_app")
        answer = AppState(app_id, deepcopy(self.spec), active, deploying)
        if self.slow_reads:
            self.slow_reads.pop(0)()
            self.clock.sleep(5.0)
        return answer

    def update_app(self, app_id: str, spec: Mapping[str, Any]) -> str:
        self.asked.append("update_app")
        if app_id != self.app_id:
            raise not_found()
        return self.writes.send("update_app", lambda: self.deploy(spec), self.clock.time())

    def get_deployment(self, app_id: str, deployment_id: str) -> Deployment:
        self._require(app_id)
        found = [_shown(one) for one in self._settled() if one.id == deployment_id]
        if not found:
            raise not_found()
        return found[0]

    def list_deployments(self, app_id: str) -> Sequence[Deployment]:
        self.asked.append("list_deployments")
        self._require(app_id)
        return [_shown(one) for one in self._settled()][:NEWEST]

    def health(self, app_id: str) -> Mapping[str, ComponentHealth]:
        self._require(app_id)
        active = next(one for one in self._settled() if one.phase == "ACTIVE")
        found = {}
        for item in active.spec["services"] + active.spec["workers"]:
            scaled = item.get("autoscaling", {})
            count = item.get("instance_count", scaled.get("min_instance_count", 1))
            name, ready = item["name"], count - self.unready
            found[name] = ComponentHealth(name, count, ready, self.cpu_percent)
        return found

    def _require(self, app_id: str) -> None:
        if self.reads_fail > 0:
            self.reads_fail -= 1
            raise vendor_error(FailureKind.TEMPORARY)
        if app_id != self.app_id:
            raise not_found()

    def _settled(self) -> list[_Deploying]:
        self.writes.land(self.clock.time())
        for one in reversed(self.deployments):
            if one.phase == "DEPLOYING" and one.ends <= self.clock.time():
                one.phase = one.outcome
                if one.outcome == "ACTIVE":
                    self._retire_older(one)
        return self.deployments

    def _retire_older(self, active: _Deploying) -> None:
        for one in self.deployments:
            if one is not active and one.phase == "ACTIVE":
                one.phase = "SUPERSEDED"

    @staticmethod
    def _component(spec: dict[str, Any], name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one for one in spec["services"] + spec["workers"] if one["name"] == name
        )
        return found


def _shown(one: _Deploying) -> Deployment:
    created = datetime.fromtimestamp(one.created, UTC)
    return Deployment(one.id, one.phase, created, "", deepcopy(one.spec))
