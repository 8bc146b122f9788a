"""A Cloudflare zone: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from service.catalogue.cloudflare_zone.rules import CacheRuleShape, read_sets
from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text, Url
from service.catalogue.spec import Noted

NAME = "cloudflare_zone"
PRICES = PriceList("Cloudflare", {})
"""A zone has no sizes, and a purge costs nothing."""
_ID = re.compile(r"[0-9a-f]{32}|.*\$.*")
"""The id of a zone. What holds a `$` has been noted already."""


Level = Literal["basic", "simplified", "aggressive"]
LEVELS: tuple[str, ...] = get_args(Level)
"""Cache levels, as Cloudflare's API names them."""


@dataclass(frozen=True, slots=True)
class ZoneTarget:
    """One Cloudflare zone by its id. `probe` is an address that its edge caches, or empty: it shows
    whether a purge took effect. `cache_rules` are its sets of cache rules by name, as plain JSON.
    `origin` is the address whose answers are looked at before they are cached, or empty.
    `cache_levels` are the cache levels that may be set; where there are none, its level is not even
    read."""

    name: str
    zone: str
    probe: str = ""
    service: str = ""
    cache_rules: Mapping[str, Any] = field(default_factory=dict, hash=False)
    cache_levels: tuple[str, ...] = ()
    origin: str = ""

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
        """What may be changed, and no more."""
        sets = f", cache rules {' or '.join(self.cache_rules)}" if self.cache_rules else ""
        levels = f", cache level {' or '.join(self.cache_levels)}" if self.cache_levels else ""
        return f"what it has cached{sets}{levels}"

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
    origin: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:-]+/?$")] | None = Field(
        default=None, description="an address without a path, such as https://origin.quizmentor.app"
    )
    cache_rules: dict[str, list[CacheRuleShape]] | None = None
    cache_levels: list[Level] | None = Field(
        default=None, description=f"a list of {', '.join(LEVELS)}"
    )
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
    sets = read_sets(shape.cache_rules, noted)
    levels = tuple(dict.fromkeys(shape.cache_levels or ()))
    return ZoneTarget(
        *(name, shape.zone, shape.probe or "", shape.service or "", sets, levels),
        origin=shape.origin or "",
    )
