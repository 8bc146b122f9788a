"""From what a Cloudflare zone showed to a plan of its requests, or the guard that holds it.

Pure. What is `observed` is the record of `ZoneWork.observe` in `steps.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service.catalogue.cloudflare_zone import level, purge, rules, samples
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.text import cut

SET_CACHE_LEVEL = "set_cache_level"
_ATTRIBUTES = (rules.ATTRIBUTE, level.ATTRIBUTE)
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
    found.update(zone_values(observed))
    return found if status == ACTIVE else {**found, "status": status}


def zone_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The set of cache rules and the cache level, each where the target names some."""
    found, at = observed.get("rules"), observed.get("level")
    return {
        **({} if found is None else {rules.ATTRIBUTE: rules.value_of(found)}),
        **({} if at is None else {level.ATTRIBUTE: at["value"]}),
    }


def zone_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """The set of cache rules, or the cache level, before and after. A purge leaves nothing that
    could be put back."""
    return {plan.what: (plan.before, plan.after)} if plan.what in _ATTRIBUTES else {}


def choices(target: ZoneTarget, attribute: str) -> tuple[str, ...]:
    """What a person may ask of an attribute."""
    if attribute == level.ATTRIBUTE:
        return target.cache_levels
    return (*target.cache_rules, rules.NONE) if attribute == rules.ATTRIBUTE else ()


def refused_options(target: ZoneTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with the options of an action on this target."""
    if action == "purge":
        return purge.refusals(options)
    if action == SET_CACHE_LEVEL:
        return level.refusals(target, options["level"])
    return _unknown_set(target, options["set"])


def _unknown_set(target: ZoneTarget, name: str) -> Iterable[str]:
    known = choices(target, rules.ATTRIBUTE)
    if name not in known:
        yield (
            f"target {target.name} has no set of cache rules {name!r}; there is "
            f"{', '.join(known)}. Add it to the target's cache_rules."
        )


def doubts(target: ZoneTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is allowed and hardly meant."""
    if action == SET_CACHE_LEVEL:
        yield from level.doubts(options["level"])
    if action != "purge":
        return
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
    """The requests of one purge, or the one write of a set of cache rules."""
    target = request.target
    if not isinstance(target, ZoneTarget):
        raise TypeError(f"{target.name} is no Cloudflare zone")
    if request.wanted:
        (wanted,) = request.wanted
        set_to = _set_level if wanted.attribute == level.ATTRIBUTE else _set_rules
        return _not_active(observed) or set_to(target, wanted, observed)
    return _held(target, request, observed) or _purge(target, request.options)


def _held(target: ZoneTarget, request: Request, observed: Mapping[str, Any]) -> PlanHeld | None:
    for sentence in refused_options(target, request.action, request.options):
        return PlanHeld("options", f"{request.action} of {target.name}: {sentence}")
    if held := _not_active(observed):
        return held
    if foreign := purge.outside(request.options, observed["name"]):
        named = cut(", ".join(foreign), LONGEST_LIST)
        return PlanHeld(
            "not_in_zone",
            f"{named}: not in zone {observed['name']}, so nothing was purged. "
            "Correct the request, or name the zone that it is in.",
            facts={"zone": observed["name"]},
        )
    return None


def _not_active(observed: Mapping[str, Any]) -> PlanHeld | None:
    if observed["paused"] or observed["status"] != ACTIVE:
        status = "paused" if observed["paused"] else observed["status"]
        return PlanHeld(
            "zone_status",
            f"Zone {observed['name']} is {status} at Cloudflare, so nothing of it is served from "
            "the cache. Nothing was changed. Look at the zone's overview page.",
            retry_after_s=NOT_ACTIVE_RETRY_S,
            facts={"status": status},
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


def _set_level(target: ZoneTarget, wanted: Wanted, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    if observed.get("level") is None:
        return PlanHeld("options", f"{target.name} names no cache_levels; nothing was changed.")
    return level.plan_level(target, str(wanted.to), observed)


def _set_rules(target: ZoneTarget, wanted: Wanted, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """One of the target's sets in the place of what is there of ours."""
    name, present = str(wanted.to), observed.get("rules")
    for sentence in _unknown_set(target, name):
        return PlanHeld("options", f"set_cache_rules of {target.name}: {sentence}")
    if present is None:
        return PlanHeld("options", f"{target.name} names no cache_rules; nothing was changed.")
    before = rules.value_of(present)
    if before == rules.EDITED:
        return _edited(target)
    after = rules.compiled(name, target.cache_rules.get(name, ()))
    if rules.same(rules.ours(present), after):
        return nothing_to_do(target)
    sampled = observed.get("samples")
    refused = _not_taken(name, observed, after) or samples.held(target.name, name, sampled or ())
    if refused:
        return refused
    changes = ", ".join(rules.differences(rules.ours(present), after))
    return Plan(
        what=rules.ATTRIBUTE,
        before=before,
        after=name,
        steps=("set_rules", "verify_rules"),
        wanted={
            "zone": target.zone,
            "was": [dict(rule) for rule in rules.ours(present)],
            "rules": after,
            "changes": changes or "their order",
        },
        price_before=0.0,
        price_after=0.0,
        downtime=f"No downtime. It changes {changes or 'their order'}. Copies that are at the edge "
        "already stay until they are old: purge what must not be served any more."
        f"{samples.told(target.origin, sampled) if to_sample(target, name, present) else ''}",
    )


def _not_taken(
    name: str, observed: Mapping[str, Any], after: Sequence[Mapping[str, Any]]
) -> PlanHeld | None:
    """Why the zone's plan at Cloudflare does not take a set."""
    problem = rules.problems(observed["plan"], observed["rules"], after)
    if not problem:
        return None
    return PlanHeld(
        "zone_plan",
        f"Zone {observed['name']} was left as it is: {problem}. Correct the set {name}.",
        facts={"plan": observed["plan"]},
    )


def to_sample(
    target: ZoneTarget, name: str, present: Iterable[Mapping[str, Any]]
) -> list[samples.Sample]:
    """What to ask the origin for before this set is put in the place of what is there."""
    made = target.cache_rules.get(name, ())
    new = rules.changing(rules.ours(list(present)), rules.compiled(name, made))
    return samples.due(target.origin, made, new)


def _edited(target: ZoneTarget) -> PlanHeld:
    return PlanHeld(
        "edited_by_hand",
        f"Somebody has edited the cache rules that runbookd set in {target.name}, so they were "
        "left as they are. Delete them at Cloudflare, or give those to be kept another ref, which "
        "makes them yours.",
        by_person=True,
    )
