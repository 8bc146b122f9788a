"""What a look at a vendor showed: the state of a target, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AppState:
    """An App Platform app as it is specified now.

    `spec` is the vendor's whole document, encrypted secrets included, to be sent back verbatim
    with only the planned change. `deploying` is the id of a deployment under way, or None.
    """

    app_id: str
    spec: Mapping[str, Any]
    active_deployment: str | None
    deploying: str | None = None


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
class DropletState:
    """A droplet; `status` is the vendor's word: active, off, new or archive.

    `locked` means that one of its actions is under way. `disk_gb` is the disk in gigabytes.
    `region_sizes` are the sizes that its region sells; None where the vendor does not say.
    """

    droplet_id: str
    name: str
    size: str
    status: str
    locked: bool
    disk_gb: int
    vcpus: int
    memory_mb: int
    region: str = ""
    region_sizes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class DropletAction:
    """An action on a droplet; `status` is in-progress, completed or errored."""

    id: int
    type: str
    status: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class DropletSize:
    """A droplet size the vendor offers: dollars a month, disk in gigabytes."""

    slug: str
    price_monthly: float
    disk_gb: int
    available: bool


@dataclass(frozen=True, slots=True)
class ComputeState:
    """A Supabase project's compute: `variant` such as ci_micro, `status` such as ACTIVE_HEALTHY.

    `prices` maps each variant to dollars a month, as the vendor quotes them.
    """

    project: str
    variant: str
    status: str
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One service of a database project and whether it answers."""

    name: str
    healthy: bool
    detail: str = ""
