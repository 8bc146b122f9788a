"""Cloudflare's entry in the catalogue, and its own action."""

from __future__ import annotations

from service.catalogue.cloudflare_zone.plan import (
    doubts,
    plan_zone,
    refused_options,
    zone_is,
)
from service.catalogue.cloudflare_zone.purge import PurgeOptions
from service.catalogue.cloudflare_zone.steps import ZoneWork
from service.catalogue.cloudflare_zone.target import (
    NAME,
    PRICES,
    ZoneShape,
    ZoneTarget,
    build_zone,
)
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.decisions.planning import Plan
from service.ports import CloudflareZones

PURGE = ActionSpec("purge", Effect.CHANGES, "out", options=PurgeOptions, undoes=False)
"""What a zone has cached, by prefix, tag, host or address (runbook, CDN Cache Rules). It moves
nothing; its direction is that of an addition, because it takes no capacity away."""


def _look(zones: CloudflareZones, target: ZoneTarget) -> str:
    found = zones.zone(target.zone)
    status = "paused" if found.paused else found.status
    probed = f"; the edge says {zones.copy(target.probe).status or 'nothing'} of its probe"
    return (
        f"Cloudflare knows zone {found.name}, {status}, on plan {found.plan}"
        f"{probed if target.probe else ''}"
    )


def _changed(plan: Plan) -> dict[str, tuple[str, str]]:
    """Nothing: a purge leaves no value that could be put back."""
    return {}


KIND = KindSpec(
    name=NAME,
    stand_in="cloudflare",
    target=ZoneTarget,
    shape=ZoneShape,
    build=build_zone,
    actions=(PURGE,),
    plan=plan_zone,
    state=zone_is,
    work=ZoneWork,
    look=_look,
    prices=PRICES,
    size_form=r"(?!)",
    needs_sizes=False,
    changed=_changed,
    cost=lambda _: 0.0,
    doubts=doubts,
    refuses=refused_options,
    interrupts=False,
)
