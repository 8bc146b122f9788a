"""Plans within a budget, and the look at what the targets cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from service.catalogue.registry import kind_spec
from service.catalogue.spec import Change
from service.domain.decisions.budget import ASK, BUDGET, PAGE, Addition, Budget, check_budget
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.errors import StepFailed, VendorError
from service.domain.rules.rules import Target
from service.engine.parts import WorkerParts

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 30.0
"""How often a worker asks the store whose cost is too old, in seconds."""
LOOK_EVERY_S = 600.0
"""How old the cost of a target may be before it is looked at again, in seconds."""


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
            _look(target, parts)


def _look(target: Target, parts: WorkerParts) -> None:
    """See what a target costs now."""
    began_at = parts.clock.time()
    try:
        observed = parts.work_of(target).observe(target)
    except (VendorError, StepFailed) as error:
        _log.warning("cost_not_seen", target=target.name, why=str(error))
        return
    parts.spend.saw(target.name, kind_spec(target.kind).cost(observed), began_at)


class SpendRound:
    """Looks at what those targets cost that a budget counts; by any worker, so that what nobody
    scales is counted too."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0

    def __call__(self, _sign: bool) -> None:
        """One round. A target that cannot be looked at keeps the cost that is known."""
        counted, at = self._parts.counted(), self._parts.clock.monotonic()
        if not counted or at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        seen = {each.target: each.seen_at for each in self._parts.spend.known()}
        for target in counted:
            now = self._parts.clock.time()
            if now - seen.get(target.name, 0.0) >= LOOK_EVERY_S:
                _look(target, self._parts)
