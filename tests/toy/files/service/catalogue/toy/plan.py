"""From what a balloon showed to its next size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.toy.target import PRICES

from service.catalogue.steps.ladder import size_wanted
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request


def plan_size(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The next size."""
    before = observed["size"]
    if before == "burst":
        return PlanHeld("burst", f"{request.target.name} has burst.")
    (wanted,) = request.wanted
    after = size_wanted(request.target, wanted, before)
    if isinstance(after, PlanHeld):
        return after
    return Plan(
        what="size",
        before=before,
        after=after,
        steps=("blow", "verify"),
        wanted={"toy": observed["toy"], "after": after},
        price_before=PRICES.price(observed, before),
        price_after=PRICES.price(observed, after),
        downtime="No downtime.",
    )
