"""Whether the plans of a scenario fit the budget together. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.decisions.budget import Addition, Budget, Spend, check_budget


def over_budget(
    budget: Budget | None, additions: Sequence[Addition], spends: Sequence[Spend], now: float
) -> str:
    """Why these changes together do not fit the budget; empty where they do, or there is none.

    Each addition counts on top of those before it. A price that is not known does not fit.
    """
    known = list(spends)
    for adds in additions:
        if all(each.target != adds.target for each in known):
            known.append(Spend(adds.target, adds.before, now))
    for adds in additions:
        check = check_budget(budget, adds, known, now)
        if check is not None and not check.passed:
            return check.saw
        known = [
            each.seen(adds.after, now) if each.target == adds.target else each for each in known
        ]
    return ""
