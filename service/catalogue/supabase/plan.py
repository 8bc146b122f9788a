"""From what a Supabase project showed to its next compute size, pool size or count of replicas, or
the guard that holds it.

Pure. What is `observed` is the record of `service.catalogue.supabase.work.SupabaseWork.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.steps.bounds import nothing_to_do
from service.catalogue.steps.ladder import size_wanted
from service.catalogue.supabase import pooler, replicas
from service.catalogue.supabase.target import PRICES, SupabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

DATABASE_STEPS = ("resize", "await_healthy", "verify")

NANO = "nano"
"""A project without a compute add-on, in words."""

HEALTHY = "ACTIVE_HEALTHY"
"""The vendor's word for a project that serves."""

NOT_HEALTHY_RETRY_S = 120.0
"""Seconds until a held run looks again; a resize or restart takes about two minutes."""


def project_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Its compute size and what else of it was looked at; its status where it does not serve."""
    status, values = observed["status"], project_values(observed)
    found = {"compute" if name == "size" else name: value for name, value in values.items()}
    return {**found, **({} if status == HEALTHY else {"status": status})}


def project_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What a plan can change: its compute size, and what else of it could be read."""
    found = {
        "size": observed["variant"] or NANO,
        pooler.ATTRIBUTE: pooler.size_of(observed),
        replicas.ATTRIBUTE: replicas.count_of(observed),
    }
    return {name: value for name, value in found.items() if value is not None}


def project_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """The attribute that a plan changes, with its values before and after."""
    if plan.what in (pooler.ATTRIBUTE, replicas.ATTRIBUTE):
        return {plan.what: (plan.wanted["before"], plan.wanted["after"])}
    return {"size": (plan.before, plan.after)}


def compute_costs(observed: Mapping[str, Any]) -> float | None:
    """What the project's compute size costs, in dollars a month, with its replicas: each has the
    size of the primary."""
    return _with_replicas(observed, PRICES.price(observed, observed["variant"]))


def _with_replicas(observed: Mapping[str, Any], each: float | None) -> float | None:
    return None if each is None else each * (1 + (replicas.count_of(observed) or 0))


def plan_project(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The plan of any action on a project; none while it does not serve."""
    target = request.target
    if not isinstance(target, SupabaseTarget):
        raise TypeError(f"{target.name} is no supabase target")
    if observed["status"] != HEALTHY:
        return PlanHeld(
            "project_status",
            f"Project {target.project} is {observed['status']}, not {HEALTHY}; a change would "
            "come on top of what it is in. Nothing was changed.",
            retry_after_s=NOT_HEALTHY_RETRY_S,
            facts={"status": observed["status"]},
            unsafe=True,
        )
    if request.action == pooler.SET_POOLER.name:
        cost, size = compute_costs(observed), observed["variant"]
        source = PRICES.source(observed, size)
        return pooler.plan_pooler(request, target.pooler, observed, cost, source)
    if request.action == replicas.SET_REPLICAS.name:
        size = observed["variant"]
        each, source = PRICES.price(observed, size), PRICES.source(observed, size)
        return replicas.plan_replicas(request, target.replicas, observed, each, source)
    return _plan_compute(request, target, observed)


def _plan_compute(
    request: Request, target: SupabaseTarget, observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """The compute size that is wanted, on the target's ladder (runbook, Database Scaling)."""
    before = observed["variant"]
    (wanted,) = request.wanted
    if not before and wanted.by > 0 and target.sizes:
        after: str | PlanHeld = target.sizes[0]  # nano, without an add-on, is below every size
    else:
        after = size_wanted(target, wanted, before)
    if isinstance(after, PlanHeld):
        return after
    if after == before:
        return nothing_to_do(target)
    return Plan(
        what="compute",
        before=before or NANO,
        after=after,
        steps=DATABASE_STEPS,
        wanted={
            "project": target.project,
            "before": before,
            "after": after,
            "started_at": observed.get("started_at"),
        },
        price_before=_with_replicas(observed, PRICES.price(observed, before)),
        price_after=_with_replicas(observed, PRICES.price(observed, after)),
        price_source=PRICES.source(observed, before, after),
        downtime="The database restarts for it and is away for about 2 minutes.",
    )
