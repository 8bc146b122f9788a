"""One step up a target's ladder of sizes, or the reason why there is none.

Shared by everything that has sizes, so that a top, an unknown size and an empty ladder are told
alike. Vendors add sizes faster than a runbook is rewritten. So a ladder may name sizes whose price
is not known, which is not the same as free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.decisions.planning import PlanHeld


class UnknownSizeError(ValueError):
    """The target runs at a size that its ladder does not hold, so no next step is known."""


@dataclass(frozen=True, slots=True)
class NextSize:
    """The size to go to; prices in dollars a month, None where none is known."""

    size: str
    price_before: float | None
    price_after: float | None


def step_up(
    target: str, ladder: Sequence[str], current: str, prices: Mapping[str, float]
) -> NextSize | PlanHeld:
    """The size above `current`, or the guard `ladder` (unknown size) or `ladder_top`.

    `prices` maps the sizes that are known to dollars a month.
    """
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
    return NextSize(size, prices.get(current), prices.get(size))


def next_size(ladder: Sequence[str], current: str) -> str | None:
    """The size one step above `current`; None at the top.

    Raises `UnknownSizeError` when the ladder does not hold `current`: guessing could make the
    target smaller.
    """
    if current not in ladder:
        raise UnknownSizeError(
            f"Size {current} is not on the ladder ({' → '.join(ladder) or 'empty'}), so the next "
            "size is not known; nothing was changed. Add it to the target's sizes, or resize by "
            "hand to one of them."
        )
    above = list(ladder).index(current) + 1
    return ladder[above] if above < len(ladder) else None


def _unnamed() -> str:
    raise UnknownSizeError(
        "The vendor names no size for it, so the next one is not known; nothing was changed. "
        "Give it one of the ladder's sizes by hand once."
    )
