"""The state of one app of App Platform: its spec, its deployments, and what runs."""

from __future__ import annotations

import uuid
from copy import deepcopy
from dataclasses import dataclass, field

from service.sandbox.core.wire import Json
from service.sandbox.digitalocean.app_spec import SCALED_KINDS, Vault, components, count_of, size_of

_PHASES = ((0.1, "PENDING_BUILD"), (0.4, "BUILDING"), (0.5, "PENDING_DEPLOY"), (1.0, "DEPLOYING"))
"""The phases of a deployment, each with the share of the whole time at which it ends. A deployment
that only scales has the same phases at the vendor, with its build from the cache."""


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """The vendor's own scaling of a component. The simulation follows its CPU target only."""

    least: int
    most: int
    cpu_percent: int


@dataclass(frozen=True, slots=True)
class Running:
    """What runs of one component. With autoscaling, `instances` is the minimum."""

    kind: str
    instances: int
    size: str
    autoscaling: Autoscaling | None = None


@dataclass(slots=True)
class Deployment:
    """One deployment. `ended` is None while it is under way, then ACTIVE or SUPERSEDED."""

    id: str
    cause: str
    spec: Json
    created_at: float
    ends_at: float
    ended: str | None = None
    ended_at: float | None = None

    def phase(self, now: float) -> str:
        """The vendor's name of this deployment's phase at `now`."""
        if self.ended:
            return self.ended
        whole = self.ends_at - self.created_at
        part = (now - self.created_at) / whole if whole > 0 else 0.0
        return next((name for end, name in _PHASES if part < end), "DEPLOYING")


@dataclass(slots=True)
class App:
    """An app with its deployments, newest first. Only its methods change it.

    `pinned` is the deployment of a rollback that was neither committed nor reverted.
    `before_rollback` is the spec before that rollback.
    """

    id: str
    spec: Json
    created_at: float
    updated_at: float
    vault: Vault = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    running: dict[str, Running] = field(default_factory=dict)
    pinned: Deployment | None = None
    before_rollback: Json | None = None

    @property
    def under_way(self) -> Deployment | None:
        """The deployment that is under way. There is at most one."""
        newest = self.deployments[0] if self.deployments else None
        return newest if newest and newest.ended is None else None

    @property
    def active(self) -> Deployment | None:
        """The deployment that serves requests."""
        return next((one for one in self.deployments if one.ended == "ACTIVE"), None)

    def find(self, deployment_id: str) -> Deployment | None:
        """A deployment of this app by its id."""
        return next((one for one in self.deployments if one.id == deployment_id), None)

    def deploy(self, spec: Json, now: float, seconds: float, *, cause: str) -> Deployment:
        """Start to deploy an accepted spec. A deployment that is under way is superseded."""
        if former := self.under_way:
            former.ended, former.ended_at = "SUPERSEDED", now
        self.spec, self.updated_at = spec, now
        fresh = Deployment(
            id=str(uuid.uuid4()),
            cause=cause,
            spec=deepcopy(spec),
            created_at=now,
            ends_at=now + seconds,
        )
        self.deployments.insert(0, fresh)
        return fresh

    def roll_back(self, former: Deployment, now: float, seconds: float) -> Deployment:
        """Deploy the spec of a former deployment again, and pin the app to it."""
        before = self.spec
        fresh = self.deploy(deepcopy(former.spec), now, seconds, cause="rollback")
        self.pinned, self.before_rollback = fresh, before
        return fresh

    def unpin(self) -> Json | None:
        """End the pinning. Returns the spec before the rollback."""
        before, self.pinned, self.before_rollback = self.before_rollback, None, None
        return before

    def next_due(self) -> float | None:
        """When this app changes next by itself. None if it does not."""
        return one.ends_at if (one := self.under_way) else None

    def settle(self, now: float) -> None:
        """End a deployment whose time has come, and let it take effect."""
        one = self.under_way
        if one is None or one.ends_at > now:
            return
        if former := self.active:
            former.ended, former.ended_at = "SUPERSEDED", one.ends_at
        one.ended, one.ended_at = "ACTIVE", one.ends_at
        self.running = what_runs(one.spec)


def what_runs(spec: Json) -> dict[str, Running]:
    """The components of a deployed spec that have instances, by name."""
    return {part["name"]: _running(kind, part) for kind, part in components(spec, SCALED_KINDS)}


def _running(kind: str, part: Json) -> Running:
    return Running(kind, count_of(part), size_of(part).slug, _autoscaling(part))


def _autoscaling(part: Json) -> Autoscaling | None:
    scaling = part.get("autoscaling")
    if not scaling:
        return None
    percent = (scaling.get("metrics") or {}).get("cpu", {}).get("percent", 80)
    return Autoscaling(scaling["min_instance_count"], scaling["max_instance_count"], percent)
