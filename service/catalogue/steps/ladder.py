"""The size that is wanted, on a target's ladder of sizes, or the reason why there is none.

Shared by everything that has sizes, so that both ends, an unknown size and an empty ladder are told
alike. Vendors add sizes faster than a runbook is rewritten. So a ladder may name sizes whose price
is not known, which is not the same as free.
"""

from __future__ import annotations

from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.rules.rules import Target


def size_wanted(target: Target, wanted: Wanted, current: str) -> str | PlanHeld:
    """The size to go to; `current` is empty where the vendor names none."""
    if wanted.to is not None and not wanted.least:
        return _on_ladder(target, str(wanted.to))
    if current not in target.sizes:
        return _unknown(target, current)
    ladder = target.sizes
    at = ladder.index(current)
    if wanted.to is not None:
        size = _on_ladder(target, str(wanted.to))
        return size if isinstance(size, PlanHeld) else ladder[max(at, ladder.index(size))]
    if wanted.by > 0 and at == len(ladder) - 1:
        return PlanHeld(
            "ladder_top",
            f"{target.name} already has {current}, the largest size on its ladder; nothing more "
            "can be done automatically. Add a larger size to the ladder, or find what uses it up.",
            at_bound=True,
            facts={"current": current},
        )
    if wanted.by < 0 and at == 0:
        return PlanHeld(
            "ladder_bottom",
            f"{target.name} already has {current}, the smallest size on its ladder; nothing was "
            "changed.",
            facts={"current": current},
        )
    return ladder[min(max(at + wanted.by, 0), len(ladder) - 1)]


def _on_ladder(target: Target, size: str) -> str | PlanHeld:
    if size in target.sizes:
        return size
    return PlanHeld(
        "bounds",
        f"{target.name} may have the sizes {_shown(target.sizes)}, and {size} is wanted; nothing "
        "was changed. Ask for one of these, or add it to the ladder in the rules.",
        facts={"wanted": size},
    )


def _unknown(target: Target, current: str) -> PlanHeld:
    """Guessing which way is up could make the target smaller."""
    if current:
        saw = (
            f"{target.name}: Size {current} is not on the ladder ({_shown(target.sizes)}), so the "
            "next size is not known; nothing was changed. Add it to the target's sizes, or resize "
            "by hand to one of them."
        )
    else:
        saw = (
            f"{target.name}: The vendor names no size for it, so the next one is not known; "
            "nothing was changed. Give it one of the ladder's sizes by hand once."
        )
    return PlanHeld("ladder", saw, facts={"current": current})


def _shown(ladder: tuple[str, ...]) -> str:
    return " → ".join(ladder) or "empty"
