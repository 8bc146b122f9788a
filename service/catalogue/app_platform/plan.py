"""From what App Platform showed to a plan for one component: how many, which size, or both.

Pure. What is `observed` is the record of `service.catalogue.app_platform.steps.AppChange.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.catalogue.app_platform.autoscaling import (
    BY_LOAD,
    FIELDS,
    FIXED,
    MAX,
    MIN,
    NAMES,
    Scaled,
    Value,
    field_wanted,
    health_told,
    held_by_size,
    held_by_vendor,
    is_dedicated,
    offered,
    told,
    unset,
)
from service.catalogue.app_platform.spec import INSTANCE_COUNT, INSTANCE_SIZE, SCALABLE
from service.catalogue.app_platform.target import PRICES, AppTarget
from service.catalogue.steps.bounds import count_wanted, nothing_to_do
from service.catalogue.steps.ladder import size_wanted
from service.domain.decisions.planning import Plan, PlanHeld, together
from service.domain.decisions.requests import LEVEL, PERSON, SCENARIO, Request, Wanted

APP_STEPS = ("update_app", "await_deployment", "verify")

DOWNTIME = "No downtime: the app serves until its new instances do."
"""The vendor's rolling deployments (docs/vendors.md)."""

AT_ITS_MAX = "The price is that of as many instances as autoscaling may run."
LOAD_DECIDES = "by load"
"""How many instances there are, where the vendor decides."""

DEPLOYMENT_RETRY_S = 60.0
"""Seconds until a held run looks again; a deployment takes a few minutes."""


def plan_component(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The count and the size that are wanted, within the target's bounds and on its ladder, in one
    write (runbook, Manual Horizontal Scaling; App Platform Vertical Scaling)."""
    target = _app_target(request)
    if held := _held(target, observed):
        return held
    if held := _both(request):
        return held
    most = _most(request, target)
    scaled = Scaled(target, _state(observed), most)
    after: dict[str, Value] = {}
    for wanted in request.wanted:
        found = _wanted(request, scaled, observed, wanted)
        if isinstance(found, PlanHeld):
            return found
        after |= found
    if after.get(MAX) is not None and INSTANCE_COUNT not in after:
        after[INSTANCE_COUNT] = None
    return _plan(request, scaled, observed, after)


def _both(request: Request) -> PlanHeld | None:
    """The hold of a request that switches autoscaling off and says how it shall be."""
    names = {each.attribute for each in request.wanted}
    if FIXED not in names or names.isdisjoint(BY_LOAD):
        return None
    return PlanHeld(
        "options",
        f"fixed switches the vendor's autoscaling of {request.target.name} off, and "
        f"{' and '.join(each for each in BY_LOAD if each in names)} would set it. Nothing was "
        "changed. Ask for one or the other.",
    )


def _state(observed: Mapping[str, Any]) -> dict[str, Value]:
    """Every field of the component that a plan can change."""
    fields = {**dict.fromkeys(FIELDS.values()), **observed.get("fields", {})}
    # What was observed by an earlier version, or for less, names the block alone.
    block = observed.get("autoscaling") or {}
    fields[MIN] = fields[MIN] or block.get("min_instance_count")
    fields[MAX] = fields[MAX] or block.get("max_instance_count")
    return {INSTANCE_COUNT: observed["replicas"], INSTANCE_SIZE: observed["size"], **fields}


def _wanted(
    request: Request, scaled: Scaled, observed: Mapping[str, Any], wanted: Wanted
) -> Mapping[str, Value] | PlanHeld:
    """The fields that one wish changes."""
    target = scaled.target
    if wanted.attribute == "size":
        size = size_wanted(target, wanted, observed["size"])
        return size if isinstance(size, PlanHeld) else {INSTANCE_SIZE: size}
    if wanted.attribute == FIXED:
        return scaled.switched_off(wanted, observed.get("autoscaling") or {})
    if wanted.attribute in FIELDS:
        return _without_a_page(scaled, field_wanted(scaled, wanted), scaled.high)
    if wanted.to == 0:
        return {INSTANCE_COUNT: None}  # an undo, of what has taken the count from the vendor
    if scaled.state[MAX] is not None and not _switches_off(request):
        return _without_a_page(scaled, scaled.moved(wanted), scaled.high)
    current = int(observed["replicas"] or 0)
    count = count_wanted(target, wanted, current, (target.min_replicas, scaled.most))
    made = count if isinstance(count, PlanHeld) else {INSTANCE_COUNT: count}
    return _without_a_page(scaled, made, current)


def _switches_off(request: Request) -> bool:
    return any(each.attribute == "max" and each.to == 0 for each in request.wanted)


def _without_a_page(
    scaled: Scaled, found: Mapping[str, Value] | PlanHeld, current: int
) -> Mapping[str, Value] | PlanHeld:
    """Nobody is paged where a person has raised it above what alerts may ask for."""
    above = scaled.target.max_replicas < current < scaled.target.most_replicas
    return replace(found, at_bound=False) if isinstance(found, PlanHeld) and above else found


def _most(request: Request, target: AppTarget) -> int:
    by_all = request.origin.kind in (PERSON, LEVEL, SCENARIO)
    return target.most_replicas if by_all else target.max_replicas


def component_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """How many instances there are and of which size, as far as the app says; and how the vendor
    scales them, where it does."""
    named = {name: observed[name] for name in ("replicas", "size")}
    if observed.get("autoscaling"):
        named["autoscaling"] = told(_state(observed))
    return {name: value for name, value in named.items() if value not in (None, "")}


def component_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What a plan can change, as far as it is set."""
    state = _state(observed)
    found = {name: state[key] for name, key in NAMES.items()}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _plan(
    request: Request, scaled: Scaled, observed: Mapping[str, Any], wanted: Mapping[str, Value]
) -> Plan | PlanHeld:
    now, target = scaled.state, scaled.target
    after = {key: value for key, value in wanted.items() if value != now[key]}
    if not after:
        return nothing_to_do(target)
    asks, held = "", _held_by_autoscaling(request, scaled, observed, after)
    if isinstance(held, str):
        asks, after[INSTANCE_SIZE] = _offers(observed, now, held), held
    elif held is not None:
        return held
    then = {**now, **after}
    size, count = str(then[INSTANCE_SIZE]), _most_of(then)
    if not _may_run(observed, size, count or 1):
        return PlanHeld(
            "single_instance",
            f"DigitalOcean runs one instance of {size} at most, and {count} are wanted of "
            f"{target.name}; nothing was changed. Give the component a size that scales, such as "
            "apps-s-1vcpu-1gb.",
            facts={"size": size, "wanted": count},
        )
    what, was, will = together(_parts(now, then))
    fields = [*after, INSTANCE_COUNT, INSTANCE_SIZE]
    return Plan(
        what=what,
        before=was,
        after=will,
        steps=APP_STEPS,
        wanted={
            "app": target.app,
            "component": target.component,
            "after": after,
            "last_deployment": observed["last_deployment"],
            "planned_from": {key: now[key] for key in now if key in fields},
        },
        price_before=_price(observed, now),
        price_after=_price(observed, then),
        price_source=PRICES.source(observed, str(now[INSTANCE_SIZE]), size),
        downtime=f"{DOWNTIME}{_told(now, then)}",
        asks=asks,
    )


def _told(now: Mapping[str, Value], then: Mapping[str, Value]) -> str:
    """What the plan means where the vendor scales the component, or does not any more."""
    if then[MAX] is not None:
        return f" {AT_ITS_MAX}"
    if now[MAX] is None:
        return ""
    count = then[INSTANCE_COUNT]
    return (
        f" The vendor stops scaling it. Where more than {count} instances serve now, the others go."
    )


def _held_by_autoscaling(
    request: Request, scaled: Scaled, observed: Mapping[str, Any], after: Mapping[str, Value]
) -> PlanHeld | str | None:
    """What the vendor's own autoscaling says against a plan: a hold, or the size that it needs."""
    then = {**scaled.state, **after}
    scales = INSTANCE_COUNT in after or not after.keys().isdisjoint(FIELDS.values())
    if then[MAX] is None:
        return scaled.uncounted() if scales and then[INSTANCE_COUNT] is None else None
    held = held_by_vendor(scaled, observed["kind"], after) if scales else None
    return held or _size_needed(request, scaled, observed, then[INSTANCE_SIZE])


def _size_needed(
    request: Request, scaled: Scaled, observed: Mapping[str, Any], size: Value
) -> PlanHeld | str | None:
    """The size that autoscaling needs, where it is another one."""
    before = scaled.state
    if before[MAX] is not None and not is_dedicated(observed, before[INSTANCE_SIZE]):
        return None  # The vendor scales this size already, so it knows better.
    if is_dedicated(observed, size):
        return None
    if any(each.attribute == "size" for each in request.wanted):
        return held_by_size(scaled.target, size)
    return offered(scaled.target, observed, size)


def _offers(observed: Mapping[str, Any], now: Mapping[str, Value], size: str) -> str:
    """Why a person has to approve a size that nobody has named."""
    was = now[INSTANCE_SIZE]
    before, after = PRICES.price(observed, str(was)), PRICES.price(observed, size)
    each = "" if None in (before, after) else f", at ${after:g} instead of ${before:g} a month each"
    return (
        f"{was} shares its CPUs, so the vendor cannot scale it by itself; {size} can be, and "
        f"would be set with it{each}"
    )


def _parts(now: Mapping[str, Value], then: Mapping[str, Value]) -> list[tuple[str, str, str]]:
    """What differs, by names for people, with its values before and after."""
    known = [
        (
            "replicas",
            *(str(LOAD_DECIDES if each[MAX] else each[INSTANCE_COUNT]) for each in (now, then)),
        ),
        ("autoscaling", told(now), told(then)),
        ("size", str(now[INSTANCE_SIZE]), str(then[INSTANCE_SIZE])),
        ("health check", health_told(now), health_told(then)),
    ]
    return [(name, was, will) for name, was, will in known if was != will]


def _most_of(state: Mapping[str, Value]) -> int | None:
    """How many instances there may be at most."""
    count = state[INSTANCE_COUNT] if state[MAX] is None else state[MAX]
    return None if count is None else int(count)


def component_costs(observed: Mapping[str, Any]) -> float | None:
    """What all instances of the component cost, in dollars a month: at most, where the vendor
    scales them."""
    return _price(observed, _state(observed))


def changed_component(plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """What a plan changes of a component: each attribute with its values before and after."""
    names, wanted = {key: name for name, key in NAMES.items()}, plan.wanted
    if "key" in wanted:  # the plan of an earlier version, which changes one thing
        return {names[wanted["key"]]: (wanted["before"], wanted["after"])}
    was = wanted["planned_from"]
    return {
        (name := names[key]): (unset(name, was[key]), unset(name, value))
        for key, value in wanted["after"].items()
    }


def _price(observed: Mapping[str, Any], state: Mapping[str, Value]) -> float | None:
    each, count = PRICES.price(observed, str(state[INSTANCE_SIZE])), _most_of(state)
    return None if each is None or count is None else each * count


def _may_run(observed: Mapping[str, Any], size: str, count: int) -> bool:
    """Whether so many instances of a size may run; True where nobody knows."""
    known = observed.get("sizes", {}).get(size)
    return count <= 1 or known is None or not known["single_instance_only"]


def _app_target(request: Request) -> AppTarget:
    if not isinstance(request.target, AppTarget):
        raise TypeError(f"{request.target.name} is no app_platform target")
    return request.target


def _held(target: AppTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    """What holds back any change of the component."""
    kind, deploying = observed["kind"], observed["deploying"]
    if kind is None:
        there = ", ".join(observed["components"]) or "none"
        return PlanHeld(
            "component",
            f"App {target.app} has no component named {target.component} (it has: {there}); "
            f"nothing was changed. Correct `component` of target {target.name} in the rules.",
        )
    if kind not in SCALABLE:
        return PlanHeld(
            "component",
            f"{target.component} of app {target.app} is one of its {kind}, which run no lasting "
            f"instances; only services and workers can be scaled. Correct target {target.name} "
            "in the rules.",
        )
    if pinned := observed.get("pinned"):
        return PlanHeld(
            "rolled_back",
            f"A person pinned app {target.app}: it was rolled back to deployment {pinned}, and the "
            "vendor takes no new deployment until the rollback is committed or reverted. Nothing "
            "was changed; do one of the two in the vendor's control panel.",
            retry_after_s=DEPLOYMENT_RETRY_S,
            facts={"deployment": pinned},
            by_person=True,
        )
    if deploying is None:
        return None
    return PlanHeld(
        "deployment_in_progress",
        f"Deployment {deploying} of app {target.app} is under way and is not ours; changing the "
        "app now could cancel it. Nothing was changed.",
        retry_after_s=DEPLOYMENT_RETRY_S,
        facts={"deployment": deploying},
    )
