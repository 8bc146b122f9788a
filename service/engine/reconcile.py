"""A fresh look at a run's target: when a late write of a former execution is possible, and as long
as a droplet is off that the run has switched off.

It brings the target to safety and compares it with the plan; where they differ a person is told,
because a later change may be the right one. Where it cannot be made safe, a person is paged; for a
droplet that stays off, the watch has done that, and `off_round` queues the next look.
"""

from __future__ import annotations

import structlog

from service.catalogue.context import Record
from service.catalogue.registry import kind_spec
from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.planning import Plan, PlanHeld, state_of
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, VendorError
from service.engine import outbox, reports
from service.engine.context import RunContext
from service.engine.off_round import next_look_at
from service.engine.parts import LatePage, StepRunner, WorkerParts
from service.engine.steps import Steps
from service.engine.unforeseen import sentence_of
from service.messages.announcements import SOURCE, Failure, page_for_failure
from service.messages.going_on import command
from service.ports import Message, Page
from service.ports.offs import ON, OffRecord
from service.ports.runs import StoredRun

_log = structlog.get_logger(__name__)

STEP = "reconcile"


def reconcile(parts: WorkerParts, run_id: str, record: StepRunner) -> None:
    """Look at the target of a run again and bring it to safety; a look that goes wrong pages."""
    step = Steps(parts, run_id, 0, record)
    try:
        step(STEP, _reconcile, parts, run_id)
    except Exception as error:
        _log.exception("look_went_wrong", run=run_id)
        sentence = sentence_of(error, "The look")
        step("page", _page_for_no_look, parts, run_id, sentence)


def _reconcile(parts: WorkerParts, run_id: str) -> Record:
    stored = parts.runs.get(run_id)
    if stored is None or not stored.request.on is not None or stored.plan is None:
        return {"left": "nothing had been planned"}
    if not parts.runs.wrote(run_id):
        return {"left": "nothing had been written"}
    resource = stored.request.target.resource
    off_before = _open_record(parts, run_id)
    if owner := parts.locks.lock(resource, run_id):
        text = f"{stored.request.target.name} is locked by {owner}, so it was not looked at again."
        if off_before is None or off_before.tries == 0:
            outbox.post(Message(title="", text=text), parts, stored.message)
        _after_the_look(parts, off_before)
        return {"left": text}
    try:
        return _look(parts, stored, stored.request, stored.plan)
    finally:
        parts.locks.unlock(resource, run_id)
        _after_the_look(parts, off_before)


def _after_the_look(parts: WorkerParts, off_before: OffRecord | None) -> None:
    """What follows for a droplet that was off: the end of its page, or a time for the next look."""
    if off_before is None:
        return
    record = parts.offs.get(off_before.run)
    if record is not None and record.open:
        parts.offs.looked(record.run, record.tries, next_look_at(record, parts.clock.time()))
    elif record is not None and record.ended == ON:
        reports.resolve(run_dedup_key(record.run), parts)


def _open_record(parts: WorkerParts, run_id: str) -> OffRecord | None:
    record = parts.offs.get(run_id)
    return record if record is not None and record.open else None


def _page_for_no_look(parts: WorkerParts, run_id: str, sentence: str) -> Record:
    page = Page(
        dedup_key=run_dedup_key(run_id),
        summary=f"The target of run {run_id} could not be looked at again. {sentence} Look at it "
        f"now; see what the run did: {command(run_id)}.",
        source=SOURCE,
        severity="critical",
    )
    parts.page_later(LatePage(page, parts.clock.time()), 0.0)
    return {"why": sentence}


def _look(parts: WorkerParts, stored: StoredRun, request: Request, plan: Plan) -> Record:
    context = RunContext(parts, stored.id, stored.attempt, request.target.resource)
    context.thread = stored.message
    left = parts.change_of(request).work.make_safe(context, plan)
    if _open_record(parts, stored.id) is not None:
        return {"left": left, "unsafe": "", "differs": ""}
    unsafe, differs = _compared(parts, request, plan)
    _log.info("reconciled", run=stored.id, left=left, unsafe=unsafe, differs=differs)
    if unsafe:
        reports.page(page_for_failure(request, plan, Failure(STEP, unsafe, left)), parts)
    elif differs:
        text = f"Looked at it again: {left} {differs}"
        outbox.post(Message(title="", text=text), parts, stored.message)
    return {"left": left, "unsafe": unsafe, "differs": differs}


def _compared(parts: WorkerParts, request: Request, plan: Plan) -> tuple[str, str]:
    """What is unsafe about the target, and how it differs from the plan; a sentence or nothing."""
    try:
        change = parts.change_of(request)
        again = change.plan(request, change.observe(request))
    except (VendorError, StepFailed) as error:
        return f"It could not be looked at again: {error}", ""
    if isinstance(again, PlanHeld):
        unsafe = again.reason if again.unsafe else ""
        return unsafe, again.reason if again.by_person else ""
    moves = kind_spec(request.target.kind).changed(plan)
    if not moves or again.before != plan.before:
        return "", ""
    return "", (
        f"{request.target.name} has {state_of(plan.what, plan.before)} again, as before this run. "
        f"The run had left it at {plan.left_at}. Nothing was changed now; see who did that."
    )
