"""A managed Valkey cluster: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text
from service.catalogue.spec import Noted

NAME = "valkey"

_DOCUMENTED: dict[str, float] = {
    "db-s-1vcpu-1gb": 15.0,
    "db-s-1vcpu-2gb": 30.0,
    "db-s-2vcpu-4gb": 60.0,
    "db-s-4vcpu-8gb": 120.0,
    "db-s-6vcpu-16gb": 240.0,
    "db-s-8vcpu-32gb": 480.0,
    "db-s-16vcpu-64gb": 960.0,
}
"""Dollars a month for each node (docs/vendors.md). The vendor's API names no prices of clusters."""
PRICES = PriceList("DigitalOcean", _DOCUMENTED, documented_in="2026-11")

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|.*\$.*")
"""The id of a cluster. What holds a `$` has been noted already."""
_MEMORY = re.compile(r"-(\d+)gb$")


@dataclass(frozen=True, slots=True)
class ValkeyTarget:
    """One managed cluster by its id, with its ladder of sizes, smallest first."""

    name: str
    cluster: str
    sizes: tuple[str, ...]
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"do-database:{self.cluster}"

    @property
    def bounds(self) -> str:
        """The two ends of the ladder."""
        return f"{self.sizes[0]} … {self.sizes[-1]}"

    @property
    def console(self) -> str:
        """Its page in DigitalOcean's control panel."""
        return f"https://cloud.digitalocean.com/databases/{quote(self.cluster, safe='')}"


class ValkeyShape(Shape):
    """A managed Valkey cluster in a rule file."""

    kind: str
    cluster: Text | None = None
    sizes: Sizes | None = None
    service: Text | None = None


def build_cluster(name: str, shape: ValkeyShape, noted: Noted) -> ValkeyTarget | None:
    """The target; None when its id or its ladder is missing."""
    if shape.cluster is None:
        if "cluster" not in noted.wrong:
            noted.missing("cluster", "the cluster's id, a UUID, as `doctl databases list` shows it")
        return None
    if not _ID.fullmatch(shape.cluster):
        noted.doubt(
            "cluster",
            f"{shape.cluster} does not look like the id of a cluster, which is a UUID. "
            "`doctl databases list` shows it.",
        )
    return ValkeyTarget(name, shape.cluster, tuple(shape.sizes or ()), shape.service or "")


def memory_gb(size: str) -> int | None:
    """The memory of a size in gigabytes, which its name ends with; None where it does not."""
    found = _MEMORY.search(size)
    return int(found[1]) if found else None
