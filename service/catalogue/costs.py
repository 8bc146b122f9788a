"""What everything at a vendor costs: its own prices, and the documented ones where it says none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from service.catalogue.app_platform.target import PRICES as APPS
from service.catalogue.valkey.target import PRICES as CLUSTERS
from service.domain.costs.costs import Line
from service.ports.bills import (
    ADDRESS,
    APP,
    BALANCER,
    DATABASE,
    SNAPSHOT,
    VOLUME,
    Resource,
)

VOLUME_GB, SNAPSHOT_GB = Decimal("0.10"), Decimal("0.06")
"""Dollars a month for each gigabyte (DigitalOcean's documentation of volumes and snapshots)."""
UNUSED_ADDRESS, BALANCER_NODE = Decimal("5.00"), Decimal("12.00")
"""Dollars a month for a reserved IP that is not assigned (an assigned one is free), and for each
node of a load balancer (DigitalOcean's price pages)."""
VALKEY = "(valkey)"
"""How the name of a database ends whose prices are documented here."""


def line_of(seller: str, resource: Resource) -> Line:
    """The line of a resource; its price is None where nobody knows."""
    return Line(
        *(seller, resource.kind, resource.name, _what(resource), _month(resource)),
        hour=resource.hour,
        since=resource.since,
    )


def _month(resource: Resource) -> Decimal | None:
    if resource.month is not None:
        return resource.month
    priced = _PRICED.get(resource.kind)
    return None if priced is None else priced(resource)


def _of_app(resource: Resource) -> Decimal | None:
    return _listed(APPS.documented.get(resource.size), resource.count)


def _of_database(resource: Resource) -> Decimal | None:
    if not resource.name.endswith(VALKEY):
        return None  # the sizes of other engines have other prices
    return _listed(CLUSTERS.documented.get(resource.size), resource.count)


_PRICED: Mapping[str, Callable[[Resource], Decimal | None]] = {
    APP: _of_app,
    DATABASE: _of_database,
    VOLUME: lambda resource: VOLUME_GB * resource.gigabytes,
    SNAPSHOT: lambda resource: SNAPSHOT_GB * resource.gigabytes,
    ADDRESS: lambda resource: Decimal(0) if resource.used else UNUSED_ADDRESS,
    BALANCER: lambda resource: BALANCER_NODE * resource.count,
}
"""How each kind is priced whose list says no price."""


def _listed(price: float | None, count: int) -> Decimal | None:
    return None if price is None else Decimal(str(price)) * count


def _what(resource: Resource) -> str:
    if resource.gigabytes:
        return f"{resource.gigabytes.normalize():f} GB"
    if resource.kind == ADDRESS:
        return "assigned" if resource.used else "not assigned"
    if not resource.size:
        return f"{resource.count} node{'s' * (resource.count != 1)}"
    return f"{resource.count} × {resource.size}" if resource.count != 1 else resource.size
