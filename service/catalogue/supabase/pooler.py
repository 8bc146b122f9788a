"""How many connections a project's pooler opens to the database: the action `set_pooler`.

Pure. Supabase's `default_pool_size` is for each pair of a role and a database that connects through
the pooler. So what counts is that size times the number of such pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from service.catalogue.actions import named_values
from service.catalogue.shapes import Shape
from service.catalogue.spec import ActionSpec, Effect, Noted
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.directions import SET
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.pools.size import Bound, Server
from service.domain.rules.rules import Target

ATTRIBUTE = "pool_size"
STEPS = ("set_pool_size", "verify_pool_size")
MOST = 3000
"""The vendor's own limit of default_pool_size (docs/vendors.md)."""
RESERVED = 7
"""Connections beside the pools: 2 for migrations and 5 for administration, as `runbookd pool`
counts them."""
DEFAULT = "default"
"""A pool whose size was never set, so that the vendor chooses it by the compute size."""
UNREAD_RETRY_S = 120.0
"""Seconds until a held run looks again at a database that did not answer."""


class PoolerShape(Shape):
    """The pooler of a project in a rule file: the bounds of its pool size, how many pairs of role
    and database use it, and how many connections do not go through it."""

    min: int = Field(default=1, ge=1, le=MOST)
    max: int | None = Field(default=None, ge=1, le=MOST)
    pools: int = Field(default=1, ge=1, le=100)
    reserved: int = Field(default=RESERVED, ge=0, le=MOST)


class PoolerOptions(Shape):
    """How many connections each pool may open. `exact` may take away too."""

    pool_size: int | None = Field(default=None, ge=1, le=MOST)
    exact: bool = False


def read_pooler(shape: PoolerShape | None, noted: Noted) -> dict[str, int]:
    """The bounds as plain JSON; empty where the target has none."""
    if shape is None or "pooler" in noted.wrong:
        return {}
    if shape.max is None:
        noted.missing("pooler.max", "how many connections each pool may open at most")
        return {}
    if shape.min > shape.max:
        noted.at("pooler", f"min is {shape.min} and max is {shape.max}; min must not be larger.")
        return {}
    return {
        "min": shape.min,
        "max": shape.max,
        "pools": shape.pools,
        "reserved": shape.reserved,
    }


def _names_nothing(options: Mapping[str, Any]) -> str:
    if options[ATTRIBUTE] is None:
        return "set_pooler needs pool_size, such as {pool_size: 40}."
    return ""


SET_POOLER = ActionSpec(
    "set_pooler",
    Effect.CHANGES,
    SET,
    wanted=lambda options: named_values(options, ATTRIBUTE),
    options=PoolerOptions,
    directed=lambda options: SET if options["exact"] else "up",
    sets=(ATTRIBUTE,),
    lacking=_names_nothing,
)
"""How many connections the project's pooler opens (runbook, Connection Pooling)."""


def refusals(name: str, pooler: Mapping[str, int], options: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the options of `set_pooler` on the target of this name."""
    size = options[ATTRIBUTE]
    if not pooler:
        yield (
            f"target {name} has no pooler; give it the bounds of its pool size, such as "
            "pooler: {max: 60}."
        )
    elif size is not None and not pooler["min"] <= size <= pooler["max"]:
        yield (
            f"set_pooler wants pool_size: {size}, and {name} may have {pooler['min']} to "
            f"{pooler['max']}. Ask for a size within these, or change pooler of the target."
        )


def size_of(observed: Mapping[str, Any]) -> int | str | None:
    """The pool size that was found; None where nobody has looked or could."""
    found = observed.get("pooler") or {}
    return found.get("size")


def bound_of(pooler: Mapping[str, int], size: int, max_connections: int) -> Bound:
    """What the pools and the connections beside them ask of the database."""
    server = Server(max_connections)
    asked = size * pooler["pools"] + pooler["reserved"]
    return Bound(f"max_connections = {max_connections}", asked, server.usable)


def most_that_fits(pooler: Mapping[str, int], max_connections: int) -> int:
    """The largest pool size that the database leaves room for, 0 where none fits."""
    room = Server(max_connections).usable - pooler["reserved"]
    return max(0, room // pooler["pools"])


def plan_pooler(
    request: Request,
    pooler: Mapping[str, int],
    observed: Mapping[str, Any],
    price: float | None,
    price_source: str,
) -> Plan | PlanHeld:
    """The pool size that is wanted, if the database has room for it."""
    target, found = request.target, observed.get("pooler")
    if not pooler:
        return PlanHeld(
            "options", f"{target.name} has no pooler in the rules; nothing was changed."
        )
    if not found or "problem" in found:
        why = found["problem"] if found else "It was not asked."
        return PlanHeld(
            "pooler_unread",
            f"The pool size of {target.name} could not be read, so it was left as it is. {why}",
            retry_after_s=UNREAD_RETRY_S,
        )
    before = found["size"]
    after = _asked_for(target, request.wanted[0], before, pooler)
    if isinstance(after, PlanHeld):
        return after
    if after == before:
        return nothing_to_do(target)
    if held := _too_many(request, pooler, before, after, found["max_connections"]):
        return held
    return Plan(
        what=ATTRIBUTE,
        before=str(before),
        after=str(after),
        steps=STEPS,
        wanted={"project": observed["project"], "before": before, "after": after},
        price_before=price,
        price_after=price,
        price_source=price_source,
        downtime="No downtime of the database. The pooler may close connections of clients as it "
        f"takes the new size; {_room(pooler, after, found['max_connections'])}",
    )


def _asked_for(
    target: Target, wanted: Wanted, before: int | str, pooler: Mapping[str, int]
) -> int | str | PlanHeld:
    if wanted.to == DEFAULT:
        return DEFAULT  # an undo, where nobody had set a size before
    size = int(wanted.to or 0)
    if wanted.least and isinstance(before, int) and before >= size:
        return before
    if pooler["min"] <= size <= pooler["max"]:
        return size
    return PlanHeld(
        "bounds",
        f"The pool size of {target.name} may be {pooler['min']} to {pooler['max']}, and {size} is "
        "wanted; nothing was changed. Ask for a size within the bounds, or change them in the "
        "rules.",
        facts={"wanted": size, "min": pooler["min"], "max": pooler["max"]},
    )


def _too_many(
    request: Request,
    pooler: Mapping[str, int],
    before: int | str,
    after: int | str,
    max_connections: int,
) -> PlanHeld | None:
    """Holds pools that the database has no room for. Fewer connections than now are always let
    through: they can only help."""
    if not isinstance(after, int) or (isinstance(before, int) and after < before):
        return None
    bound = bound_of(pooler, after, max_connections)
    if bound.holds:
        return None
    most = most_that_fits(pooler, max_connections)
    pools = f"{pooler['pools']} × {after}" if pooler["pools"] > 1 else f"A pool of {after}"
    return PlanHeld(
        "connections",
        f"{pools} and {pooler['reserved']} connections beside it do not fit at "
        f"{request.target.name}: {bound.sentence} Nothing was changed. The largest pool that fits "
        f"is {most}; a larger compute size has more connections.",
        at_bound=request.wanted[0].least,
        facts={"asked": bound.asked, "allowed": bound.allowed, "most": most},
    )


def _room(pooler: Mapping[str, int], after: int | str, max_connections: int) -> str:
    if not isinstance(after, int):
        return "the vendor chooses it by the compute size."
    bound = bound_of(pooler, after, max_connections)
    return f"pools and the rest may then open {bound.sentence}"
