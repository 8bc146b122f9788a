"""From what a Supabase project showed to the next compute size, or the guard that holds it.

Pure. What is `observed` is the record of `service.catalogue.supabase.steps.ComputeResize.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.steps.bounds import nothing_to_do
from service.catalogue.steps.ladder import size_wanted
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
    """Its compute size, and its status where it does not serve."""
    status = observed["status"]
    size = observed["variant"] or NANO
    return {"compute": size, **({} if status == HEALTHY else {"status": status})}


def project_size(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Its compute size, which is all that a plan changes."""
    return {"size": observed["variant"] or NANO}


def compute_costs(observed: Mapping[str, Any]) -> float | None:
    """What the project's compute size costs, in dollars a month."""
    return PRICES.price(observed, observed["variant"])


def plan_compute(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The compute size that is wanted, on the target's ladder (runbook, Database Scaling)."""
    target = request.target
    if not isinstance(target, SupabaseTarget):
        raise TypeError(f"{target.name} is no supabase target")
    if observed["status"] != HEALTHY:
        return PlanHeld(
            "project_status",
            f"Project {target.project} is {observed['status']}, not {HEALTHY}; a resize would "
            "take it down once more. Nothing was changed.",
            retry_after_s=NOT_HEALTHY_RETRY_S,
            facts={"status": observed["status"]},
            unsafe=True,
        )
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
        price_before=PRICES.price(observed, before),
        price_after=PRICES.price(observed, after),
        price_source=PRICES.source(observed, before, after),
        downtime="The database restarts for it and is away for about 2 minutes.",
    )
