"""From what App Platform showed to a plan for one component: how many, which size, or both.

Pure. What is `observed` is the record of `service.catalogue.app_platform.steps.AppChange.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.catalogue.app_platform.spec import INSTANCE_COUNT, INSTANCE_SIZE, SCALABLE
from service.catalogue.app_platform.target import PRICES, AppTarget
from service.catalogue.steps.bounds import count_wanted, nothing_to_do
from service.catalogue.steps.ladder import size_wanted
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Request

APP_STEPS = ("update_app", "await_deployment", "verify")

DOWNTIME = "No downtime: the app serves until its new instances do."
"""The vendor's rolling deployments (docs/vendors.md)."""

DEPLOYMENT_RETRY_S = 60.0
"""Seconds until a held run looks again; a deployment takes a few minutes."""


def plan_component(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The count and the size that are wanted, within the target's bounds and on its ladder, in one
    write (runbook, Manual Horizontal Scaling; App Platform Vertical Scaling)."""
    target = _app_target(request)
    if held := _held(target, observed):
        return held
    after: dict[str, int | str] = {}
    for wanted in request.wanted:
        if wanted.attribute == "replicas":
            if observed["autoscaling"]:
                return _autoscaling_held(target, observed["autoscaling"])
            current = int(observed["replicas"])
            count = count_wanted(target, wanted, current, _bounds(request, target))
            if isinstance(count, PlanHeld) and _above(target, current):
                # A person has raised it above what alerts may ask for: nobody is paged for that.
                return replace(count, at_bound=False)
            if isinstance(count, PlanHeld):
                return count
            after[INSTANCE_COUNT] = count
        else:
            size = size_wanted(target, wanted, observed["size"])
            if isinstance(size, PlanHeld):
                return size
            after[INSTANCE_SIZE] = size
    return _plan(target, observed, after)


def _bounds(request: Request, target: AppTarget) -> tuple[int, int]:
    most = target.most_replicas if request.origin.kind == PERSON else target.max_replicas
    return target.min_replicas, most


def _above(target: AppTarget, count: int) -> bool:
    """Whether it is above what alerts may ask for, and below what anybody may."""
    return target.max_replicas < count < target.most_replicas


def component_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """How many instances there are and of which size, as far as the app says."""
    named = {name: observed[name] for name in ("replicas", "size")}
    return {name: value for name, value in named.items() if value not in (None, "")}


def _plan(
    target: AppTarget, observed: Mapping[str, Any], wanted: Mapping[str, int | str]
) -> Plan | PlanHeld:
    now = {INSTANCE_COUNT: observed["replicas"], INSTANCE_SIZE: observed["size"]}
    after = {key: value for key, value in wanted.items() if value != now[key]}
    if not after:
        return nothing_to_do(target)
    then = {**now, **after}
    size, count = then[INSTANCE_SIZE], then[INSTANCE_COUNT]
    if not _may_run(observed, size, count or 1):
        return PlanHeld(
            "single_instance",
            f"DigitalOcean runs one instance of {size} at most, and {count} are wanted of "
            f"{target.name}; nothing was changed. Give the component a size that scales, such as "
            "apps-s-1vcpu-1gb.",
            facts={"size": size, "wanted": count},
        )
    return Plan(
        what=" and ".join(_NAMES[key] for key in after),
        before=" × ".join(str(now[key]) for key in after),
        after=" × ".join(str(then[key]) for key in after),
        steps=APP_STEPS,
        wanted={
            "app": target.app,
            "component": target.component,
            "after": after,
            "last_deployment": observed["last_deployment"],
            "planned_from": now,
        },
        price_before=_price(observed, now),
        price_after=_price(observed, then),
        price_source=PRICES.source(observed, now[INSTANCE_SIZE], then[INSTANCE_SIZE]),
        downtime=DOWNTIME,
    )


def component_costs(observed: Mapping[str, Any]) -> float | None:
    """What all instances of the component cost, in dollars a month."""
    state = {INSTANCE_COUNT: observed["replicas"], INSTANCE_SIZE: observed["size"]}
    return _price(observed, state)


_NAMES = {INSTANCE_COUNT: "replicas", INSTANCE_SIZE: "size"}


def changed_component(plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """What a plan changes of a component: each attribute with its values before and after."""
    wanted = plan.wanted
    if "key" in wanted:  # the plan of an earlier version, which changes one thing
        return {_NAMES[wanted["key"]]: (wanted["before"], wanted["after"])}
    was = wanted["planned_from"]
    return {_NAMES[key]: (was[key], value) for key, value in wanted["after"].items()}


def _price(observed: Mapping[str, Any], state: Mapping[str, Any]) -> float | None:
    each, count = PRICES.price(observed, state[INSTANCE_SIZE]), state[INSTANCE_COUNT]
    return None if each is None or count is None else each * int(count)


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


def _autoscaling_held(target: AppTarget, autoscaling: Mapping[str, Any]) -> PlanHeld:
    low, high = autoscaling.get("min_instance_count"), autoscaling.get("max_instance_count")
    return PlanHeld(
        "native_autoscaling",
        f"{target.component} of app {target.app} is scaled by the vendor's own autoscaling, from "
        f"{low} to {high} instances, so its count is not ours to set. If {high} is not enough, "
        "raise max_instance_count in the app's spec.",
        facts={"min": low, "max": high},
    )
