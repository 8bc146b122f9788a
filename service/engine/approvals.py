"""Plans that wait for a person: asked, told, and ended when nobody decides or wants them."""

from __future__ import annotations

from typing import Any

import structlog

from service.catalogue.registry import action_spec, kind_spec
from service.domain.decisions.approval import (
    ACT,
    APPROVED,
    LAPSED,
    PAGE,
    TIMED_OUT,
    Approval,
    default_terms,
    plan_hash,
)
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import APPROVE, Policy
from service.domain.decisions.requests import (
    ALERT,
    LEVEL,
    PERSON,
    REPLAY,
    RETURN,
    SCENARIO,
    Request,
)
from service.domain.durations import lasted
from service.engine import outbox, reports
from service.engine.outcomes import cooldown_end
from service.engine.parts import WorkerParts
from service.messages import approvals as messages
from service.ports.approvals import Asking, Decided

_log = structlog.get_logger(__name__)

BY_ITSELF = "runbookd"
"""Who decides when nobody did."""


def must_ask(request: Request, plan: Plan, policy: Policy, over_budget: str = "") -> str:
    """Why this plan needs a person's approval; empty where it needs none, or has it.

    `policy` is the one in force, because a rule may have demoted itself since it asked.
    `over_budget` is what the budget says against it. It is asked of people's requests too.
    """
    by_mode = policy.mode == APPROVE and request.origin.kind != PERSON
    interrupts = "" if by_mode else _interrupts(request)
    if not by_mode and not over_budget and not interrupts and not plan.asks:
        return ""
    if request.approved == plan_hash(request.target.name, plan):
        return ""
    if request.approved:
        return (
            f"what was approved has changed meanwhile, so it is asked again (run {request.parent})"
        )
    is_in = "has demoted itself to" if policy.demoted else "is in"
    asker = "level" if request.origin.kind == LEVEL else "rule"
    by_mode_why = f"{asker} {request.origin.by} {is_in} mode approve"
    if request.origin.kind == SCENARIO:
        by_mode_why = f"step {request.step} of scenario {request.origin.by} says confirm: person"
    return over_budget or interrupts or plan.asks or by_mode_why


def _interrupts(request: Request) -> str:
    """Why a return may not begin by itself: it takes the target down, and no window was given in
    which it may (a return waits for its window before it is asked for)."""
    returns = request.policy.returns
    if request.origin.kind != RETURN or (returns is not None and returns.window is not None):
        return ""
    if not kind_spec(request.target.kind).interrupts:
        return ""
    return f"it takes {request.target.name} down, and its rule names no window for that"


def ask(request: Request, plan: Plan, why: str, parts: WorkerParts) -> dict[str, Any]:
    """End the run, and ask; nobody waits inside a run. What a person has cancelled is not asked."""
    if said := parts.runs.cancelled(request.id):
        return {"cancelled": said}
    now, terms = parts.clock.time(), _terms(request)
    approval = parts.approvals.ask(request, plan, why, terms, now)
    parts.locks.unlock(request.target.resource, request.id)
    return {"approval": approval, "until": now + terms.wait_s}


def _terms(request: Request) -> Approval:
    """Who may approve and how long is waited. A rule says so itself; for a person or a job nobody
    has said anything."""
    terms = request.policy.approval
    if request.origin.kind in (ALERT, REPLAY) or terms != Approval():
        return terms
    return default_terms(by_approval=action_spec(request.action).by_approval)


def tell_asked(
    request: Request, plan: Plan, why: str, asked: dict[str, Any], parts: WorkerParts
) -> dict[str, Any]:
    """Ask people in Slack, with what to type."""
    approval, until = asked["approval"], asked["until"]
    if approval is None:
        return {"told": False}
    message = messages.asked(request, plan, why, approval, until, parts.clock.time())
    return {"told": outbox.post(message, parts, run=request.id) is not None}


class ApprovalRound:
    """Ends what nobody decided or wants, and tells how each was decided; by any worker."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """One round over all that wait, and all that are decided and not told."""
        for asking in self._parts.approvals.waiting():
            self._end_if_over(asking)
        for asking in self._parts.approvals.untold():
            message = messages.decided(asking, self._parts.clock.time())
            reports.say(asking.run, None, message, self._parts)
            self._parts.approvals.told(asking.id, self._parts.clock.time())

    def _end_if_over(self, asking: Asking) -> None:
        now, request = self._parts.clock.time(), asking.request
        if over := self._over(request, now):
            self._decide(asking, LAPSED, over, now)
        elif now >= asking.until:
            waited = f"nobody decided within {lasted(asking.terms.wait_s)}"
            by_a_person = action_spec(request.action).by_approval
            acts = asking.terms.otherwise == ACT and not by_a_person
            ended = self._decide(
                asking,
                APPROVED if acts else TIMED_OUT,
                waited,
                now if acts else cooldown_end(now, request.cooldown_s),
            )
            if ended and asking.terms.otherwise == PAGE:
                page = messages.page_undecided(asking, waited)
                reports.page(page, self._parts, run=asking.run)

    def _over(self, request: Request, now: float) -> str:
        """Why nobody wants it any more; empty where somebody does."""
        if request.origin.kind == LEVEL:
            check = self._parts.levels.check(request, now)
            return "" if check.passed else check.saw
        if request.origin.needs_alert and not self._parts.runs.still_wanted(request, now):
            return "every alert that asked for it has resolved"
        return ""

    def _decide(self, asking: Asking, state: str, why: str, cooldown_until: float) -> bool:
        now = self._parts.clock.time()
        decided = Decided(state, BY_ITSELF, why, now)
        ended = self._parts.approvals.decide(asking.id, decided, cooldown_until, _unaudited)
        if ended is None:
            return False
        _log.info("approval_ended", approval=asking.id, state=state, why=why)
        if state != APPROVED:
            claim = asking.request.claim
            self._parts.locks.cool_down(claim, asking.run, cooldown_until, now)
        return True


def _unaudited(_connection: Any) -> None:
    """What runbookd does by itself is on record with its runs."""
