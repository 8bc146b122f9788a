"""Cloudflare's entry in the catalogue, and its own actions."""

from __future__ import annotations

from service.catalogue.cloudflare_zone.level import ATTRIBUTE as LEVEL
from service.catalogue.cloudflare_zone.level import CacheLevelOptions
from service.catalogue.cloudflare_zone.plan import (
    SET_CACHE_LEVEL as LEVEL_NAME,
)
from service.catalogue.cloudflare_zone.plan import (
    choices,
    doubts,
    plan_zone,
    refused_options,
    zone_changed,
    zone_is,
    zone_values,
)
from service.catalogue.cloudflare_zone.purge import PurgeOptions
from service.catalogue.cloudflare_zone.rules import ATTRIBUTE, CacheRulesOptions, value_of
from service.catalogue.cloudflare_zone.steps import ZoneWork
from service.catalogue.cloudflare_zone.target import (
    NAME,
    PRICES,
    ZoneShape,
    ZoneTarget,
    build_zone,
)
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.decisions.requests import Wanted
from service.ports import CloudflareZones

PURGE = ActionSpec("purge", Effect.CHANGES, "out", options=PurgeOptions, undoes=False)
"""What a zone has cached, by prefix, tag, host or address (runbook, CDN Cache Rules). It moves
nothing; its direction is that of an addition, because it takes no capacity away."""


SET_CACHE_RULES = ActionSpec(
    "set_cache_rules",
    Effect.CHANGES,
    "up",
    wanted=lambda options: (Wanted(ATTRIBUTE, to=options["set"]),),
    options=CacheRulesOptions,
)
"""One of the target's sets of cache rules (runbook, CDN Cache Rules)."""


SET_CACHE_LEVEL = ActionSpec(
    LEVEL_NAME,
    Effect.CHANGES,
    "up",
    wanted=lambda options: (Wanted(LEVEL, to=options["level"]),),
    options=CacheLevelOptions,
)
"""What the edge does with query strings (runbook, Viral Growth). It takes no capacity away, so its
direction is that of an addition."""


def _look(zones: CloudflareZones, target: ZoneTarget) -> str:
    found = zones.zone(target.zone)
    status = "paused" if found.paused else found.status
    probed = f"; the edge says {zones.copy(target.probe).status or 'nothing'} of its probe"
    ours = ""
    if target.cache_rules:
        ours = f"; our cache rules are {value_of(zones.cache_rules(target.zone).rules)}"
    level = f"; its cache level is {zones.cache_level(target.zone).value}"
    return (
        f"Cloudflare knows zone {found.name}, {status}, on plan {found.plan}"
        f"{probed if target.probe else ''}{ours}{level if target.cache_levels else ''}"
    )


KIND = KindSpec(
    name=NAME,
    stand_in="cloudflare",
    target=ZoneTarget,
    shape=ZoneShape,
    build=build_zone,
    actions=(PURGE, SET_CACHE_RULES, SET_CACHE_LEVEL),
    plan=plan_zone,
    state=zone_is,
    work=ZoneWork,
    look=_look,
    prices=PRICES,
    changed=zone_changed,
    values=zone_values,
    choices=choices,
    cost=lambda _: 0.0,
    doubts=doubts,
    refuses=refused_options,
    interrupts=False,
)
