"""DigitalOcean droplets (docs/vendors.md): what a look shows, and what is asked of them.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


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


class Droplets(Protocol):
    """DigitalOcean droplets (docs/vendors.md)."""

    def get(self, droplet_id: str) -> DropletState:
        """The droplet now."""
        ...

    def snapshot_names(self, droplet_id: str) -> Sequence[str]:
        """Names of the snapshots that exist."""
        ...

    def delete_snapshot(self, droplet_id: str, name: str) -> None:
        """Delete the snapshot of that name; nothing happens where there is none."""
        ...

    def list_actions(self, droplet_id: str) -> Sequence[DropletAction]:
        """The newest actions, newest first (one page)."""
        ...

    def get_action(self, droplet_id: str, action_id: int) -> DropletAction:
        """An action in its present status."""
        ...

    def act(self, droplet_id: str, action: str, **parameters: Any) -> DropletAction:
        """Ask for an action: snapshot(name), shutdown, power_off, power_on, resize(size, disk)."""
        ...

    def sizes(self) -> Mapping[str, DropletSize]:
        """The sizes on offer, by slug."""
        ...
