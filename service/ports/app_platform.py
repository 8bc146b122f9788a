"""DigitalOcean App Platform (docs/vendors.md): what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class AppState:
    """An App Platform app as it is specified now.

    `spec` is the vendor's whole document, encrypted secrets included, to be sent back verbatim
    with only the planned change. `deploying` is the id of a deployment under way, or None.
    `pinned` is the id of the deployment that a person rolled the app back to, or None; until the
    rollback is committed or reverted, the vendor takes no new deployment.
    """

    app_id: str
    spec: Mapping[str, Any]
    active_deployment: str | None
    deploying: str | None = None
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One component of an app, read from its spec.

    `replicas` is None where native autoscaling decides; then `autoscaling` holds the vendor's
    block (min_instance_count, max_instance_count, metrics).
    """

    name: str
    replicas: int | None
    size: str
    autoscaling: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """How many replicas of a component are wanted and how many serve."""

    name: str
    desired: int
    ready: int
    cpu_percent: float | None = None
    memory_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of an app; `phase` is the vendor's word (ACTIVE, ERROR, SUPERSEDED, …)."""

    id: str
    phase: str
    created_at: datetime | None
    cause: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstanceSize:
    """An instance size that the vendor sells: dollars a month for one instance.

    `dedicated` is whether its CPUs are its own; only then the vendor autoscales it by CPU.
    `single_instance_only` is whether a component may have one instance of it at most.
    """

    slug: str
    price_monthly: float
    dedicated: bool
    single_instance_only: bool


class AppPlatform(Protocol):
    """DigitalOcean App Platform (docs/vendors.md)."""

    def get_app(self, app_id: str) -> AppState:
        """The app as specified now."""
        ...

    def update_app(self, app_id: str, spec: Mapping[str, Any]) -> str:
        """Send the whole spec back without shipping new code; the id of its deployment."""
        ...

    def get_deployment(self, app_id: str, deployment_id: str) -> Deployment:
        """A deployment in its present phase."""
        ...

    def list_deployments(self, app_id: str) -> Sequence[Deployment]:
        """The newest deployments, newest first (one page)."""
        ...

    def health(self, app_id: str) -> Mapping[str, ComponentHealth]:
        """Replicas wanted and ready, by component."""
        ...

    def instance_sizes(self) -> Sequence[InstanceSize]:
        """The sizes that are sold, with their prices."""
        ...
