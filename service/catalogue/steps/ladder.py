"""One step up a target's ladder of sizes, or the reason why there is none.

Shared by everything that has sizes, so that a top, an unknown size and an empty ladder are told
alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.capacity.sizing import UnknownSizeError, monthly_price, next_size
from service.domain.decisions.planning import PlanHeld
from service.domain.rules.rules import TargetKind


@dataclass(frozen=True, slots=True)
class NextSize:
    """The size to go to; prices in dollars a month, None where none is known."""

    size: str
    price_before: float | None
    price_after: float | None


def step_up(
    target: str, ladder: Sequence[str], current: str, kind: TargetKind
) -> NextSize | PlanHeld:
    """The size above `current`, or the guard `ladder` (unknown size) or `ladder_top`."""
    try:
        size = next_size(ladder, current) if current else _unnamed()
    except UnknownSizeError as problem:
        return PlanHeld("ladder", f"{target}: {problem}", facts={"current": current})
    if size is None:
        return PlanHeld(
            "ladder_top",
            f"{target} already has {current}, the largest size on its ladder; nothing more can be "
            "done automatically. Add a larger size to the ladder, or find what uses it up.",
            at_bound=True,
            facts={"current": current},
        )
    return NextSize(size, monthly_price(kind, current), monthly_price(kind, size))


def _unnamed() -> str:
    raise UnknownSizeError(
        "The vendor names no size for it, so the next one is not known; nothing was changed. "
        "Give it one of the ladder's sizes by hand once."
    )
