"""A cluster of one's own: as a target, as it is written in a rule file, and how its values read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Noted

NAME = "valkey_cluster"
PRICES = PriceList("one's own nodes", {})
"""The nodes are there already, and runbookd orders none."""
NO_LIMIT = "none"
"""What people write for a maxmemory of 0."""
_UNITS: Mapping[str, int] = {"gb": 1024**3, "mb": 1024**2, "kb": 1024}
"""The server counts by 1024 for these."""
_MEMORY = re.compile(r"([1-9]\d{0,9})(gb|mb|kb|b)")


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """The one cluster that CACHE_CLUSTER_URLS leads to."""

    name: str
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The one cluster that one run at a time may change."""
        return "valkey-cluster:application"

    @property
    def sizes(self) -> tuple[str, ...]:
        """None: its machines are not runbookd's."""
        return ()

    @property
    def bounds(self) -> str:
        """What may be changed, and no more."""
        return "memory, eviction policy and shards of the nodes of CACHE_CLUSTER_URLS"

    @property
    def console(self) -> str:
        """The page of the documentation about such clusters: they have no page at a vendor."""
        return "https://valkey.io/topics/cluster-tutorial/"


class ClusterShape(Shape):
    """A cluster of one's own in a rule file."""

    kind: str
    service: Text | None = None


def build_cluster(name: str, shape: ClusterShape, noted: Noted) -> ClusterTarget | None:
    """The target."""
    return ClusterTarget(name, shape.service or "")


def memory_bytes(text: str) -> int | None:
    """How many bytes a text such as 3gb means, 0 for no limit; None where it means nothing."""
    if text == NO_LIMIT:
        return 0
    found = _MEMORY.fullmatch(text)
    return int(found[1]) * _UNITS.get(found[2], 1) if found else None


def memory_text(count: int) -> str:
    """The shortest text that means so many bytes."""
    if count == 0:
        return NO_LIMIT
    for unit, size in _UNITS.items():
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}b"


def joined(values: Mapping[str, str]) -> str:
    """One text for the values of all nodes, by their addresses: the value itself where all have the
    same."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return " ".join(f"{address}={value}" for address, value in sorted(values.items()))


def parted(text: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """The value for each address of `addresses`, from what `joined` made of them. A node that the
    text does not name keeps the value that it has there."""
    if "=" not in text:
        return dict.fromkeys(addresses, text)
    named = dict(each.rsplit("=", 1) for each in text.split())
    return {address: named.get(address, now) for address, now in addresses.items()}
