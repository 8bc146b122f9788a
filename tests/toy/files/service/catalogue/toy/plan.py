"""From what a balloon showed to its next size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.toy.target import PRICES

from service.catalogue.steps.ladder import NextSize, step_up
from service.domain.decisions.planning import Ask, Plan, PlanHeld


def plan_size(ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The next size."""
    before = observed["size"]
    if before == "burst":
        return PlanHeld("burst", f"{ask.target.name} has burst.")
    found = step_up(ask.target.name, ask.target.sizes, before, PRICES)
    if not isinstance(found, NextSize):
        return found
    return Plan(
        what="size",
        before=before,
        after=found.size,
        steps=("blow", "verify"),
        wanted={"toy": observed["toy"], "after": found.size},
        price_before=found.price_before,
        price_after=found.price_after,
        downtime="No downtime.",
    )
