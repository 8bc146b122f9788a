"""Runs that tell the pager what an incident's state is now.

The state is read after the run's claim was given back, so alerts that come later start a run of
their own; runs of one incident follow one another, so the last word is the newest state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from service.domain.alerts.dedup import is_of_target
from service.domain.alerts.floods import FLOOD
from service.domain.alerts.incident import Incident
from service.domain.decisions.requests import Request
from service.domain.durations import moment
from service.domain.errors import FailureKind, VendorError
from service.engine import outbox
from service.engine.parts import StepRunner, WorkerParts
from service.messages.going_on import CLOSES, NOTHING_DONE, SILENCE, alerts_named, command
from service.messages.page_oncall import page_for
from service.ports import Message
from service.ports.admission import NewRun
from service.ports.runs import IncidentState, Outcome
from service.retry import call_with_retries

_log = structlog.get_logger(__name__)

_ATTEMPTS, _BUDGET_S = 3, 10.0
"""Short, because a worker executes so many runs at a time: while the pager is away, those that
wait for it must not keep droplets waiting."""
AGAIN_S = 15.0
"""What the pager could not be told is put back and tried again this much later, unless the pager
asks for more."""
REFUSED_AGAIN_S = 300.0
"""What the pager refused (a wrong routing key) is tried again this much later, while alerts fire:
somebody may have put the key right."""


def send_page(
    request: Request, parts: WorkerParts, step: StepRunner, fence: Callable[[], None]
) -> None:
    """One execution: trigger, resolve, or find that nothing is to be said.

    `fence` is called right before the pager is told: a former execution must not have the last
    word with an older state.
    """
    told = step("page", _tell_pager, request, parts, fence)
    step("conclude", _conclude, request, told, parts)


def _tell_pager(request: Request, parts: WorkerParts, fence: Callable[[], None]) -> dict[str, Any]:
    state = parts.incidents.state(request.subject)
    if state is None:
        return {"status": "held", "reason": "the incident is not on record"}
    try:
        if state.firing and is_of_target(request.subject):
            return {"status": "held", "reason": "it is asked for again, so its page stays open"}
        if state.firing:
            return _trigger(request, state, parts, fence)
        return _resolve(request, state, parts, fence)
    except VendorError as error:
        _log.error("pager_not_told", incident=request.subject, error=str(error))
        if state.firing and request.origin.alerts:
            _say_that_nobody_was_paged(request, state, error, parts)
        return _failed(error, firing=state.firing > 0)


def _say_that_nobody_was_paged(
    request: Request, state: IncidentState, error: VendorError, parts: WorkerParts
) -> None:
    page = page_for(incident_of(state, request))
    again_s = _failed(error, firing=True)["again_in_s"]
    again = moment(parts.clock.time() + again_s, parts.clock.time())
    message = Message(
        title=f"Nobody was paged: {page.summary}"[:150],
        text=f"{error} The pager is told again {again}. Look at the alert now.",
        context=_context(request, state),
        links=page.links,
    )
    outbox.post(message, parts)


def _failed(error: VendorError, *, firing: bool) -> dict[str, Any]:
    """Tried again soon; after a refusal later, and only while there is somebody to wake."""
    failed: dict[str, Any] = {"status": "failed", "reason": str(error)}
    if error.kind is not FailureKind.PERMANENT:
        failed["again_in_s"] = max(AGAIN_S, error.retry_after or 0.0)
    elif firing:
        failed["again_in_s"] = REFUSED_AGAIN_S
    return failed


def _trigger(
    request: Request, state: IncidentState, parts: WorkerParts, fence: Callable[[], None]
) -> dict[str, Any]:
    incident = incident_of(state, request)
    page = page_for(incident)
    fence()
    _send(lambda: parts.pager.trigger(page), parts)
    by = "of a flood of incidents" if incident.rule == FLOOD else f"by rule {incident.rule}"
    message = Message(
        title=f"Paged: {page.summary}"[:150],
        text=(
            f"The person on call was paged ({page.severity}) {by}. {NOTHING_DONE} {CLOSES} "
            f"{SILENCE}"
        ),
        context=f"{state.firing} firing · {_context(request, state)}",
        links=page.links,
    )
    ref = outbox.edit_or_post(state.message if state.incident.paged else None, message, parts)
    parts.incidents.mark(incident.key, paged=True, message=ref)
    return {"status": "succeeded", "reason": f"paged: {page.summary}", "firing": state.firing}


def _resolve(
    request: Request, state: IncidentState, parts: WorkerParts, fence: Callable[[], None]
) -> dict[str, Any]:
    if not state.incident.paged:
        return {"status": "held", "reason": "it resolved before anyone was paged"}
    # Never negative, which a clock that stepped back since would make it.
    waited_s = max(0.0, parts.clock.time() - (state.resolved_at or 0.0))
    left_s = parts.refire_grace_s - waited_s
    if left_s > 0:
        reason = "it resolved less than the refire grace ago"
        return {"status": "held", "reason": reason, "again_in_s": left_s}
    incident = incident_of(state, request)
    fence()
    _send(lambda: parts.pager.resolve(incident.key), parts)
    page = page_for(incident)
    message = Message(
        title=f"Resolved: {page.summary}"[:150],
        text="The last alert of the incident has resolved, and the page was closed.",
        context=f"rule {incident.rule} · {_context(request, state)}",
        links=page.links,
    )
    outbox.edit_or_post(state.message, message, parts)
    parts.incidents.mark(incident.key, paged=False)
    return {"status": "succeeded", "reason": f"resolved: {page.summary}"}


def _send(call: Any, parts: WorkerParts) -> None:
    call_with_retries(call, clock=parts.clock, attempts=_ATTEMPTS, budget_s=_BUDGET_S)


def _context(request: Request, state: IncidentState) -> str:
    parts = [
        f"run {request.id}",
        alerts_named(state.episodes),
        f"incident {state.incident.dedup_key}",
        command(request.id),
    ]
    return " · ".join(filter(None, parts))


def incident_of(state: IncidentState, request: Request | None = None) -> Incident:
    """An incident as it is told: what fires, or what resolved last; by the run of a request."""
    record = state.incident
    return Incident(
        key=record.dedup_key,
        source=record.source,
        rule=record.rule,
        receiver=record.receiver,
        group_labels=record.group_labels,
        alerts=state.alerts,
        count=max(state.firing, len(state.alerts)),
        severity=record.severity,
        run=request.id if request is not None else "",
        episodes=state.episodes,
        links=request.origin.links if request is not None else (),
    )


def _conclude(request: Request, told: dict[str, Any], parts: WorkerParts) -> dict[str, Any]:
    now = parts.clock.time()
    again = None
    stored = parts.runs.get(request.id)
    if stored is not None and "again_in_s" in told:
        # Without the alerts: what follows is a retry, and Slack has been told once.
        retry = replace(request, origin=replace(request.origin, alerts=()))
        again = NewRun(retry, stored.partition, now, told["again_in_s"])
    outcome = Outcome(told["status"], told["reason"], now)
    parts.runs.conclude(request.id, outcome, now, again=again)
    return {"status": told["status"]}
