"""From what the application's cache showed to a plan of its requests, or the guard that holds it.

Pure. What is `observed` is the record of `CacheWork.observe` in `steps.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from service.catalogue.cache import strategies
from service.catalogue.cache.flush import overlaps
from service.catalogue.cache.target import CacheTarget
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

REPLICA_RETRY_S = 60.0
"""Seconds until a held run looks again: a managed server that changes places is done in less."""
EVICTS_ALL = "allkeys-"
"""How the policies begin by which a full server drops any key, also one without an end."""


def cache_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The strategy, and why it cannot be changed where that is so."""
    state: dict[str, int | str] = {strategies.ATTRIBUTE: observed["strategy"]}
    if not observed["writable"]:
        state["status"] = "a replica"
    return state


def cache_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The strategy, which is all that a person could change of what we change."""
    return {strategies.ATTRIBUTE: observed["strategy"]}


def cache_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """The strategy before and after. A flush leaves nothing that could be put back."""
    return {plan.what: (plan.before, plan.after)} if plan.what == strategies.ATTRIBUTE else {}


def choices(target: CacheTarget, attribute: str) -> tuple[str, ...]:
    """What a person may ask of an attribute."""
    return (*strategies.NAMES, strategies.NONE) if attribute == strategies.ATTRIBUTE else ()


def refused_options(target: CacheTarget, action: str, options: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the options of an action on this target."""
    if action != "flush_cache":
        return
    asked = options["prefixes"]
    if not asked and not target.generation:
        known = f" such as {target.prefixes[0]}" if target.prefixes else ""
        yield (
            f"it names nothing to flush. Give prefixes{known}, or give the target the key of a "
            "generation, which empties the cache in one write."
        )
    for prefix in asked:
        if not prefix.startswith(target.prefixes or ("\n",)):
            allowed = ", ".join(target.prefixes) or "none"
            yield (
                f"prefix {prefix} is not within what may be removed of {target.name}: {allowed}. "
                "Name a prefix of the target, or add it to the target's prefixes."
            )
    for one, another in overlaps(asked):
        yield f"prefix {one} already covers {another}. Remove one of them."


def doubts(target: CacheTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is allowed and hardly meant."""
    if action == "flush_cache" and not options["prefixes"]:
        yield (
            "a flush by generation makes every entry of the cache old at once. Each visitor then "
            "asks the database. Do it once capacity is up, and never beside a purge of the CDN."
        )


def plan_cache(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The one write of a strategy, or a flush."""
    target = request.target
    if not isinstance(target, CacheTarget):
        raise TypeError(f"{target.name} is no cache")
    if held := _held(target, observed):
        return held
    if request.wanted:
        return _strategy(target, str(request.wanted[0].to), observed)
    for sentence in refused_options(target, request.action, request.options):
        return PlanHeld("options", f"{request.action} of {target.name}: {sentence}")
    if request.options["prefixes"]:
        return _removal(request.options["prefixes"], observed)
    return _next_generation(target, observed)


def _held(target: CacheTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    if observed["clustered"]:
        return PlanHeld(
            "cluster",
            f"APP_CACHE_URL leads to one node of a cluster, which holds a part of the keys. "
            f"Nothing of {target.name} was changed: this kind is for a single server.",
        )
    if not observed["writable"]:
        return PlanHeld(
            "replica",
            f"APP_CACHE_URL leads to a replica, which takes no writes. Nothing of {target.name} "
            "was changed. Set it to the address of the primary.",
            retry_after_s=REPLICA_RETRY_S,
        )
    return None


def _strategy(target: CacheTarget, name: str, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    fields = strategies.fields_from(name, target.values)
    if fields is None:
        known = ", ".join(choices(target, strategies.ATTRIBUTE))
        return PlanHeld(
            "options",
            f"{target.name} knows no strategy {name!r}; there is {known}. Nothing was changed.",
        )
    was = observed["fields"]
    if dict(was) == fields:
        return nothing_to_do(target)
    if long := strategies.too_long(was):
        return PlanHeld(
            "not_ours",
            f"{long} in {target.settings} holds {len(was[long])} characters, which is no setting "
            "of a cache, so an undo could not put it back. It was left. Look at what writes to it.",
            by_person=True,
        )
    return Plan(
        what=strategies.ATTRIBUTE,
        before=observed["strategy"],
        after=name,
        steps=("set_strategy", "verify_strategy"),
        wanted={"key": target.settings, "was": dict(was), "fields": fields},
        price_before=0.0,
        price_after=0.0,
        downtime=" ".join(filter(None, _effects(target, fields, observed))),
    )


def _effects(
    target: CacheTarget, fields: Mapping[str, str], observed: Mapping[str, Any]
) -> Iterator[str]:
    yield f"No downtime. From the application's next look on, {strategies.in_words(fields)}."
    if observed["eviction"].startswith(EVICTS_ALL):
        yield (
            f"The server evicts any key when it is full ({observed['eviction']}), also this "
            "setting: then the application caches as it does by itself. A policy volatile-* keeps "
            "it."
        )
    if target.zone:
        yield f"The CDN is another target: set_cache_rules of {target.zone} changes it."


def _next_generation(target: CacheTarget, observed: Mapping[str, Any]) -> Plan:
    before = int(observed["generation"])
    return Plan(
        what="generation",
        before=str(before),
        after=str(before + 1),
        steps=("next_generation", "verify_generation"),
        wanted={"key": target.generation, "before": before, "after": before + 1},
        price_before=0.0,
        price_after=0.0,
        downtime="No downtime. Every entry is old from the application's next look on, and the "
        "database answers until it is cached again. What is not in the cache, such as sessions, "
        "stays. A flush cannot be undone.",
    )


def _removal(prefixes: Sequence[str], observed: Mapping[str, Any]) -> Plan:
    return Plan(
        what="entries",
        before=f"{' and '.join(prefixes)} {_share(prefixes, observed)}",
        after="removed",
        steps=("remove", "verify_removal"),
        wanted={"prefixes": list(prefixes)},
        price_before=0.0,
        price_after=0.0,
        downtime="No downtime. They are removed piece by piece; the database answers for them "
        "until they are cached again. All other keys, such as sessions, stay. A flush cannot be "
        "undone.",
    )


def _share(prefixes: Sequence[str], observed: Mapping[str, Any]) -> str:
    """How much of the server's keys that is, as far as a look at some of them tells.

    A look counts by the target's own prefixes, so of a longer one it knows only the most.
    """
    sample, keys = observed["sample"], int(observed["keys"])
    looked, found = int(sample["looked"]), sample["found"]
    covering = {own for own in found for each in prefixes if each.startswith(own)}
    if not looked or not covering:
        return f"(of {keys:,} keys)"
    share = sum(found[own] for own in covering) / looked
    longer = "" if covering <= set(prefixes) else "at most "
    about = "" if sample["whole"] else "about "
    return f"({longer}{about}{min(round(keys * share), keys):,} of {keys:,} keys)"
