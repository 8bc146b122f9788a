"""A Cloudflare zone: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text, Url
from service.catalogue.spec import Noted

NAME = "cloudflare_zone"
PRICES = PriceList("Cloudflare", {})
"""A zone has no sizes, and a purge costs nothing."""
_ID = re.compile(r"[0-9a-f]{32}|.*\$.*")
"""The id of a zone. What holds a `$` has been noted already."""


@dataclass(frozen=True, slots=True)
class ZoneTarget:
    """One Cloudflare zone by its id. `probe` is an address that its edge caches, or empty: it shows
    whether a purge took effect."""

    name: str
    zone: str
    probe: str = ""
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"cloudflare:{self.zone}"

    @property
    def sizes(self) -> tuple[str, ...]:
        """None: a zone has no ladder."""
        return ()

    @property
    def bounds(self) -> str:
        """What is never touched, whatever fires."""
        return "what it has cached"

    @property
    def console(self) -> str:
        """The vendor's dashboard. The page of a zone has the id of its account in its address,
        which runbookd does not know; this address leads there."""
        return "https://dash.cloudflare.com/?to=/:account/:zone/caching"


class ZoneShape(Shape):
    """A Cloudflare zone in a rule file."""

    kind: str
    zone: Text | None = None
    probe: Url | None = None
    service: Text | None = None


def build_zone(name: str, shape: ZoneShape, noted: Noted) -> ZoneTarget | None:
    """The target; None when its id is missing."""
    if shape.zone is None:
        if "zone" not in noted.wrong:
            noted.missing("zone", "the zone's id, on its overview page at Cloudflare")
        return None
    if not _ID.fullmatch(shape.zone):
        noted.doubt(
            "zone",
            f"{shape.zone} does not look like the id of a zone, which is 32 of 0-9 and a-f. It is "
            "on the zone's overview page at Cloudflare.",
        )
    return ZoneTarget(name, shape.zone, shape.probe or "", shape.service or "")
