"""From what a Cloudflare zone showed to a plan of its requests, or the guard that holds it.

Pure. What is `observed` is the record of `ZoneWork.observe` in `steps.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.catalogue.cloudflare_zone import purge
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.domain.text import cut

ACTIVE = "active"
"""Cloudflare's word for a zone that serves."""
NOT_ACTIVE_RETRY_S = 600.0
"""Seconds until a held run looks again. A person has to act meanwhile."""
LONGEST_LIST = 200
"""Characters of the entries that a sentence names."""
PURGE_STEPS = tuple(f"purge_{number}" for number in range(1, 21))
"""One step for each request, so that each is recorded by itself. The options allow 20."""


def zone_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The zone's plan at Cloudflare, and its status where it does not serve."""
    found: dict[str, int | str] = {"plan": observed["plan"] or "unknown"}
    status = "paused" if observed["paused"] else observed["status"]
    return found if status == ACTIVE else {**found, "status": status}


def refused_options(target: ZoneTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with the options of an action on this target."""
    return purge.refusals(options)


def doubts(target: ZoneTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is allowed and hardly meant."""
    if options[purge.EVERYTHING]:
        yield (
            "everything: true empties the whole cache. Each visitor then asks the origin, at the "
            "moment when it is in trouble. Name prefixes or tags where you can."
        )
    asked = purge.batches(options, target.probe)
    if asked and not any(batch.probed for batch in asked):
        yield (
            f"nothing shows whether this purge takes effect: target {target.name} has no probe "
            "that it covers. Give the target a probe, an address of its site that is cached."
        )


def plan_zone(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The requests of one purge."""
    target = request.target
    if not isinstance(target, ZoneTarget):
        raise TypeError(f"{target.name} is no Cloudflare zone")
    return _held(target, request, observed) or _purge(target, request.options)


def _held(target: ZoneTarget, request: Request, observed: Mapping[str, Any]) -> PlanHeld | None:
    for sentence in refused_options(target, request.action, request.options):
        return PlanHeld("options", f"{request.action} of {target.name}: {sentence}")
    if observed["paused"] or observed["status"] != ACTIVE:
        status = "paused" if observed["paused"] else observed["status"]
        return PlanHeld(
            "zone_status",
            f"Zone {observed['name']} is {status} at Cloudflare, so nothing of it is served from "
            "the cache. Nothing was changed. Look at the zone's overview page.",
            retry_after_s=NOT_ACTIVE_RETRY_S,
            facts={"status": status},
        )
    if foreign := purge.outside(request.options, observed["name"]):
        named = cut(", ".join(foreign), LONGEST_LIST)
        return PlanHeld(
            "not_in_zone",
            f"{named}: not in zone {observed['name']}, so nothing was purged. "
            "Correct the request, or name the zone that it is in.",
            facts={"zone": observed["name"]},
        )
    return None


def _purge(target: ZoneTarget, options: Mapping[str, Any]) -> Plan:
    asked = purge.batches(options, target.probe)
    return Plan(
        what="cache",
        before=purge.in_words(options),
        after="purged",
        steps=(*PURGE_STEPS[: len(asked)], "verify"),
        wanted={
            "zone": target.zone,
            "probe": target.probe,
            "batches": [batch.to_json() for batch in asked],
        },
        price_before=0.0,
        price_after=0.0,
        downtime="No downtime. The origin answers for what was purged until it is cached again; "
        "a purge cannot be undone.",
    )
