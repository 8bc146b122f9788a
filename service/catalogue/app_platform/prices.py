"""What App Platform's instance sizes cost and allow: the vendor's own list, kept with its date.

It is asked once a day, when a component is looked at. Where the vendor can't be asked, the list
that was kept is used, however old it is; without one, the documented prices. Each plan says which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from service.catalogue.app_platform.target import DOCUMENTED, PRICES
from service.domain.errors import VendorError
from service.ports import AppPlatform, Clock
from service.ports.notes import Notes

FRESH_S = 86_400.0
"""A day: the vendor announces a new price weeks before."""
NOTE = "prices.digitalocean.apps"
_VERSION = 1


def sizes_known(apps: AppPlatform, notes: Notes, clock: Clock) -> dict[str, Any]:
    """The sizes by slug, each as plain JSON, and `source`: where they come from, empty where the
    vendor said so within a day."""
    now = clock.time()
    kept = _kept(notes)
    if kept is not None and now - kept["at"] < FRESH_S:
        return {"sizes": kept["sizes"], "source": ""}
    try:
        sizes = {size.slug: asdict(size) for size in apps.instance_sizes()}
    except VendorError:
        return _without_the_vendor(kept)
    notes.put(NOTE, json.dumps({"version": _VERSION, "at": now, "sizes": sizes}))
    return {"sizes": sizes, "source": ""}


def price_of(observed: Mapping[str, Any], slug: str) -> float | None:
    """Dollars a month for one instance; None where nobody knows."""
    known = observed.get("sizes", {}).get(slug)
    if known is not None:
        return float(known["price_monthly"])
    return PRICES.get(slug)


def source_of(observed: Mapping[str, Any], *slugs: str) -> str:
    """Where the prices of these sizes come from; empty where it is the vendor's list of today."""
    if all(slug in observed.get("sizes", {}) for slug in slugs):
        return str(observed.get("source", ""))
    return DOCUMENTED if any(slug in PRICES for slug in slugs) else ""


def _kept(notes: Notes) -> dict[str, Any] | None:
    text = notes.get(NOTE)
    kept = json.loads(text) if text else None
    return kept if kept and kept.get("version") == _VERSION else None


def _without_the_vendor(kept: Mapping[str, Any] | None) -> dict[str, Any]:
    if kept is None:
        return {"sizes": {}, "source": DOCUMENTED}
    day = datetime.fromtimestamp(kept["at"], UTC).strftime("%Y-%m-%d")
    return {"sizes": kept["sizes"], "source": f"DigitalOcean's list of {day}"}


def may_run(observed: Mapping[str, Any], slug: str, count: int) -> bool:
    """Whether so many instances of a size may run; True where nobody knows."""
    known = observed.get("sizes", {}).get(slug)
    return count <= 1 or known is None or not known["single_instance_only"]
