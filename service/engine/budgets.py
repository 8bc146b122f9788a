"""Plans within a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.catalogue.spec import Change
from service.domain.decisions.budget import ASK, BUDGET, PAGE, Addition, Budget, check_budget
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.engine.looks import look
from service.engine.parts import WorkerParts


@dataclass(frozen=True, slots=True)
class Budgeted:
    """A plan with what the budget says of it; `check` is None where no budget covers it."""

    plan: Plan | PlanHeld
    check: Check | None = None

    @property
    def ask(self) -> str:
        """Why a person is to be asked; empty where nobody is."""
        return self.check.saw if self.check is not None and not self.check.passed else ""


def within_budget(
    request: Request,
    change: Change,
    observed: Mapping[str, Any],
    plan: Plan,
    parts: WorkerParts,
    looked_at: float,
) -> Budgeted:
    """The largest step that fits, where a request asks for several at once; else what the rules
    say is done with a plan that does not fit. `looked_at` is when the look at the target began."""
    budget = request.policy.budget
    if budget is None or not budget.covers(request.target.name):
        return Budgeted(plan)
    if plan.price_before is not None:
        parts.spend.saw(request.target.name, plan.price_before, looked_at)
    _look_at_unseen(parts)
    now = parts.clock.time()
    known = parts.spend.known(besides=request.id)

    def judged(made: Plan) -> Budgeted:
        adds = Addition(request.target.name, made.price_before, made.price_after)
        return Budgeted(made, check_budget(budget, adds, known, now))

    whole = judged(plan)
    if not whole.ask:
        return whole
    for smaller in _smaller(request):
        made = change.plan(smaller, observed)
        if isinstance(made, Plan) and not (fits := judged(made)).ask:
            return fits
    return _over(request, budget, whole)


def _smaller(request: Request) -> list[Request]:
    """The same request with fewer steps, the largest first; an absolute one is never cut."""
    if len(request.wanted) != 1 or request.wanted[0].to is not None:
        return []
    wanted = request.wanted[0]
    return [
        replace(request, wanted=(Wanted(wanted.attribute, by),))
        for by in range(wanted.by - 1, 0, -1)
    ]


def _over(request: Request, budget: Budget, over: Budgeted) -> Budgeted:
    if budget.over == ASK:
        return over
    name = request.target.name
    reason = f"{name} is left as it is: {over.ask}. Nothing was changed."
    return Budgeted(PlanHeld(BUDGET, reason, at_bound=budget.over == PAGE), over.check)


def _look_at_unseen(parts: WorkerParts) -> None:
    """The first run after a start must not ask a person for what a look can tell."""
    seen = {each.target for each in parts.spend.known()}
    for target in parts.counted():
        if target.name not in seen:
            look(target, parts)
