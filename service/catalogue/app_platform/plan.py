"""From what App Platform showed to a plan for one component: how many, or which size.

Pure. What is `observed` is the record of `service.catalogue.app_platform.steps.observe_component`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.app_platform.spec import INSTANCE_COUNT, INSTANCE_SIZE, SCALABLE
from service.catalogue.app_platform.target import PRICES, AppTarget
from service.catalogue.steps.ladder import NextSize, step_up
from service.domain.decisions.planning import Ask, Plan, PlanHeld

APP_STEPS = ("update_app", "await_deployment", "verify")

DOWNTIME = "No downtime: the app serves until its new instances do."
"""The vendor's rolling deployments (docs/vendors.md)."""

DEPLOYMENT_RETRY_S = 60.0
"""Seconds until a held run looks again; a deployment takes a few minutes."""


def plan_replicas(ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """Current count plus the rule's step, within the target's bounds (runbook, Manual Horizontal
    Scaling)."""
    target = _app_target(ask)
    if held := _held(target, observed):
        return held
    if observed["autoscaling"]:
        return _autoscaling_held(target, observed["autoscaling"])
    current = int(observed["replicas"])
    if current >= target.max_replicas:
        return PlanHeld(
            "max_replicas",
            f"{target.name}: {target.component} runs {current} replicas and the rule's maximum is "
            f"{target.max_replicas}; nothing more can be added automatically.",
            at_bound=True,
            facts={"current": current, "max": target.max_replicas},
        )
    wanted = min(max(current + ask.options["step"], target.min_replicas), target.max_replicas)
    each = PRICES.get(observed["size"])
    return Plan(
        what="replicas",
        before=str(current),
        after=str(wanted),
        steps=APP_STEPS,
        wanted=_wanted(target, observed, INSTANCE_COUNT, current, wanted, replicas=wanted),
        price_before=_times(each, current),
        price_after=_times(each, wanted),
        downtime=DOWNTIME,
    )


def plan_instance_size(ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The next instance size on the target's ladder (runbook, App Platform Vertical Scaling)."""
    target = _app_target(ask)
    if held := _held(target, observed):
        return held
    found = step_up(target.name, target.sizes, observed["size"], PRICES)
    if not isinstance(found, NextSize):
        return found
    replicas = observed["replicas"]
    before, after = observed["size"], found.size
    return Plan(
        what="size",
        before=before,
        after=after,
        steps=APP_STEPS,
        wanted=_wanted(target, observed, INSTANCE_SIZE, before, after, replicas=replicas),
        price_before=_times(found.price_before, replicas),
        price_after=_times(found.price_after, replicas),
        downtime=DOWNTIME,
    )


def _app_target(ask: Ask) -> AppTarget:
    if not isinstance(ask.target, AppTarget):
        raise TypeError(f"{ask.target.name} is no app_platform target")
    return ask.target


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
    if deploying is None:
        return None
    return PlanHeld(
        "deployment_in_progress",
        f"Deployment {deploying} of app {target.app} is under way and is not ours; changing the "
        "app now could cancel it. Looked at again in a minute.",
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


def _wanted(
    target: AppTarget,
    observed: Mapping[str, Any],
    key: str,
    before: int | str,
    after: int | str,
    *,
    replicas: int | None,
) -> dict[str, Any]:
    return {
        "app": target.app,
        "component": target.component,
        "key": key,
        "before": before,
        "after": after,
        "replicas": replicas,
        "last_deployment": observed["last_deployment"],
        "planned_from": {INSTANCE_COUNT: observed["replicas"], INSTANCE_SIZE: observed["size"]},
    }


def _times(each: float | None, count: int | None) -> float | None:
    return None if each is None or count is None else each * count
