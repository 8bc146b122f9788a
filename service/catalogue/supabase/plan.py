"""From what a Supabase project showed to the next compute size, or the guard that holds it.

Pure. What is `observed` is the record of `service.catalogue.supabase.steps.ComputeResize.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.steps.ladder import NextSize, step_up
from service.catalogue.supabase.target import PRICES, SupabaseTarget
from service.domain.decisions.planning import Ask, Plan, PlanHeld

DATABASE_STEPS = ("resize", "await_healthy", "verify")

HEALTHY = "ACTIVE_HEALTHY"
"""The vendor's word for a project that serves."""

NOT_HEALTHY_RETRY_S = 120.0
"""Seconds until a held run looks again; a resize or restart takes about two minutes."""


def plan_compute(ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The next compute size on the target's ladder (runbook, Database Scaling)."""
    target = ask.target
    if not isinstance(target, SupabaseTarget):
        raise TypeError(f"{target.name} is no supabase target")
    if observed["status"] != HEALTHY:
        return PlanHeld(
            "project_status",
            f"Project {target.project} is {observed['status']}, not {HEALTHY}; a resize would "
            "take it down once more. Looked at again in two minutes.",
            retry_after_s=NOT_HEALTHY_RETRY_S,
            facts={"status": observed["status"]},
            unsafe=True,
        )
    before, prices = observed["variant"], observed["prices"]
    found = step_up(target.name, target.sizes, before, PRICES)
    if not isinstance(found, NextSize):
        return found
    return Plan(
        what="compute",
        before=before,
        after=found.size,
        steps=DATABASE_STEPS,
        wanted={"project": target.project, "before": before, "after": found.size},
        price_before=prices.get(before, found.price_before),
        price_after=prices.get(found.size, found.price_after),
        downtime="The database restarts for it and is away for about 2 minutes.",
    )
