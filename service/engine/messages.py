"""Runs that change nothing but tell one message: investigate, and whatever no rule matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.alerts.dedup import run_dedup_key
from service.domain.alerts.incident import Incident
from service.domain.decisions.decision_tree import Recommendation
from service.domain.decisions.requests import (
    HELD,
    NOTICES,
    QUARANTINED,
    REFUSED,
    SHADOWED,
    STEADIED,
    Request,
)
from service.domain.errors import FailureKind, VendorError
from service.domain.rules.rules import TEST_RULE
from service.engine import outbox, reports
from service.engine.outcomes import cooldown_end
from service.engine.parts import StepRunner, WorkerParts
from service.messages.announcements import SOURCE
from service.messages.going_on import links_of_run, run_facts
from service.messages.investigate import investigate, investigation_message, path_works
from service.messages.notices import (
    held_by_people,
    held_by_rule,
    hold_line,
    nobody_paged,
    not_readable,
    refused,
)
from service.ports import Message, Page
from service.ports.admission import NewRun
from service.ports.runs import Outcome


def send_message(request: Request, parts: WorkerParts, step: StepRunner) -> None:
    """One execution: look at the alerts, tell Slack, and begin the cooldown."""
    notice = request.origin.by in NOTICES
    told = step("investigate", _tell_notice if notice else _investigate, request, parts)
    step("conclude", conclude, request, told, parts)


def incident_told(request: Request, parts: WorkerParts) -> Incident:
    """The alerts that a message is about, as they are stored."""
    found = parts.runs.alerts(request.origin.alerts)
    alerts = tuple(alert for alert, _ in found)
    return Incident(
        key=request.subject,
        source=alerts[0].source if alerts else "",
        rule=request.origin.by,
        receiver="",
        group_labels={},
        alerts=alerts,
        count=max(len(request.origin.alerts), len(alerts)),
        run=request.id,
        episodes=request.origin.alerts,
        links=request.origin.links,
    )


def _investigate(request: Request, parts: WorkerParts) -> dict[str, Any]:
    incident = incident_told(request, parts)
    return tell(request, parts, _message(request, incident, parts))


def tell(request: Request, parts: WorkerParts, message: Message) -> dict[str, Any]:
    """Post the one message of a run; how the run ends by that."""
    told = outbox.post_or_keep(message, parts)
    if not isinstance(told, VendorError):
        return {"status": "succeeded", "reason": message.title}
    if told.kind is not FailureKind.PERMANENT:
        return {"status": "succeeded", "reason": f"{message.title} (waits for Slack: {told})"}
    failed = {"status": "failed", "reason": f"nobody could be told: {told}"}
    if request.origin.by == TEST_RULE.name:
        return failed
    return {**failed, "paged": reports.page(unheard(request, message, told), parts)}


def tell_findings(
    request: Request, parts: WorkerParts, because: str, found: Sequence[str]
) -> dict[str, Any]:
    """As investigate tells it, with the readings that a run has taken already."""
    incident = incident_told(request, parts)
    measured = Recommendation(None, because.removesuffix("."), tuple(found), ())
    return tell(request, parts, investigation_message(incident, _known(incident, parts), measured))


def _tell_notice(request: Request, parts: WorkerParts) -> dict[str, Any]:
    """That alerts were held, in the thread of the run that holds; that people or
    their rule hold them; that they were not read; or that their sender may not do what they ask
    for."""
    if request.origin.by == QUARANTINED:
        told = outbox.post_or_keep(not_readable(request), parts)
    elif request.origin.by == SHADOWED:
        told = outbox.post_or_keep(nobody_paged(request), parts)
    elif request.origin.by == REFUSED:
        told = outbox.post_or_keep(refused(request), parts)
    elif request.origin.by == STEADIED:
        told = outbox.post_or_keep(held_by_rule(request), parts)
    elif not request.subject:
        told = outbox.post_or_keep(held_by_people(request), parts)
    else:
        holding = parts.runs.get(request.subject)
        if holding is None or holding.message is None:
            return {"status": "held", "reason": f"run {request.subject} has no message to answer"}
        told = outbox.post_or_keep(hold_line(request), parts, holding.message)
    waits = f" (waits for Slack: {told})" if isinstance(told, VendorError) else ""
    return {"status": "succeeded", "reason": f"told{waits}"}


def _message(request: Request, incident: Incident, parts: WorkerParts) -> Message:
    if incident.rule == TEST_RULE.name:
        return path_works(incident)
    known = _known(incident, parts)
    return investigate(incident, known, parts.metrics, parts.clock, request.cooldown_s)


def unheard(request: Request, message: Message, error: VendorError) -> Page:
    """The page about a message that Slack refuses."""
    return Page(
        dedup_key=run_dedup_key(request.id),
        summary=f"Nobody was told of {message.title}. {error}"[:1024],
        source=SOURCE,
        severity="warning",
        details={"message": message.text, **run_facts(request)},
        links=links_of_run(request),
    )


def told_or_paged(request: Request, message: Message, parts: WorkerParts) -> dict[str, Any]:
    """Tell Slack. What waits for it is told later, and a page says what it refuses for good."""
    told = outbox.post_or_keep(message, parts)
    if not isinstance(told, VendorError):
        return {"told": "now"}
    if told.kind is FailureKind.PERMANENT:
        return {"told": "refused", "paged": reports.page(unheard(request, message, told), parts)}
    return {"told": "later", "because": str(told)}


def _known(incident: Incident, parts: WorkerParts) -> dict[str, str]:
    """What runbookd itself did last, by target: often the first question.

    Of all targets only those that a label names, where one does.
    """
    last = parts.runs.last_by_target()
    labels = {value for alert in incident.alerts for value in alert.labels.values()}
    named = [each for each in last if each[0] in labels]
    return {
        f"Last run on {target}": f"{status}: {reason}" for target, status, reason in named or last
    }


def conclude(request: Request, told: dict[str, Any], parts: WorkerParts) -> dict[str, Any]:
    """End the run as `told` says, and begin its cooldown."""
    now = parts.clock.time()
    tells = told["status"] == "succeeded" or request.origin.by == HELD
    until = cooldown_end(now, request.cooldown_s) if tells else now
    stored = parts.runs.get(request.id)
    again = None
    # As an earlier version recorded it, which put the run back when Slack took no message.
    if stored is not None and "again_in_s" in told:
        again = NewRun(request, stored.partition, now, told["again_in_s"])
    outcome = Outcome(told["status"], told["reason"], until)
    parts.runs.conclude(request.id, outcome, now, again=again)
    if stored is not None:
        parts.locks.cool_down(stored.claim, request.id, until, now)
    return {"status": told["status"]}
