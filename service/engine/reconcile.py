"""A fresh look at a run's target, when a late write of a former execution is possible.

It brings the target to safety and compares it with the plan; where they differ a person is told,
because a later change may be the right one.
"""

from __future__ import annotations

import structlog

from service.actions.base import Record
from service.domain.errors import StepFailed, VendorError
from service.domain.planning import Ask, Plan, PlanHeld
from service.engine import telling
from service.engine.context import RunContext
from service.engine.parts import StepRunner, WorkerParts
from service.ports import Message

_log = structlog.get_logger(__name__)


def reconcile(parts: WorkerParts, run_id: str, step: StepRunner) -> None:
    """Look at the target of a run again and bring it to safety."""
    step("reconcile", lambda: _reconcile(parts, run_id))


def _reconcile(parts: WorkerParts, run_id: str) -> Record:
    stored = parts.runs.get(run_id)
    if stored is None or not isinstance(stored.ask, Ask) or stored.plan is None:
        return {"left": "nothing had been planned"}
    context = RunContext(parts, run_id, stored.attempt, stored.ask.target.resource)
    context.thread = stored.message
    scaler = parts.scalers[stored.ask.action]
    left = scaler.make_safe(context, stored.ask, stored.plan)
    differs = _difference(parts, stored.ask, stored.plan)
    _log.info("reconciled", run=run_id, left=left, differs=differs)
    if differs:
        message = Message(title="", text=f"Looked at it again: {left} {differs}")
        telling.post(message, parts, stored.message)
    return {"left": left, "differs": differs}


def _difference(parts: WorkerParts, ask: Ask, plan: Plan) -> str:
    """One sentence when the target is back where the plan found it; else nothing."""
    scaler = parts.scalers[ask.action]
    try:
        again = scaler.plan(ask, scaler.observe(ask))
    except (VendorError, StepFailed) as error:
        return f"It could not be compared with its plan: {error}"
    if isinstance(again, PlanHeld) or again.before != plan.before:
        return ""
    return (
        f"{ask.target.name} has {plan.what} {plan.before} again, as before this run, which had "
        f"made it {plan.after}. Nothing was changed; see who did."
    )
