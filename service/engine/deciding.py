"""Runs that decide: they read, go down the decision tree, and ask for what their rule names.

What is asked for is a run of its own, with its own claim and all guards. It is queued in the
transaction that ends the deciding run, so there is one of it, however often the steps are repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.catalogue.actions import branches_of
from service.catalogue.context import Record
from service.catalogue.registry import action_spec, checked_options, kinds_of
from service.domain.alerts.incident import Incident
from service.domain.decisions.claims import shadow_claim
from service.domain.decisions.decision_tree import branch_of, recommend
from service.domain.decisions.policy import SHADOW
from service.domain.decisions.requests import PERSON, Request
from service.domain.rules.rules import Target
from service.engine.messages import conclude, incident_told, tell, tell_findings, told_or_paged
from service.engine.outcomes import cooldown_end
from service.engine.parts import StepRunner, WorkerParts
from service.messages.decide import decided, undecided
from service.messages.investigate import NO_PROMETHEUS, take_readings
from service.ports.runs import Outcome


def decide(request: Request, parts: WorkerParts, step: StepRunner) -> None:
    """One execution: the readings, then either the run that they ask for, or investigate's message.

    The run is asked for before Slack is told, because a change must not wait for Slack.
    """
    seen = step("read", _read, request, parts)
    if not seen["branch"]:
        telling = _tell_person if request.origin.kind == PERSON else tell_findings
        told = step("investigate", telling, request, parts, seen["because"], seen["found"])
        step("conclude", conclude, request, told, parts)
        return
    asked = step("ask", _ask, request, seen, parts)
    if request.only_plans:
        return  # the run that was asked for tells its plan
    step("tell", _tell, request, seen, asked, parts)


def _read(request: Request, parts: WorkerParts) -> Record:
    """The branch with what it asks for; without a branch, why there is none."""
    incident = incident_told(request, parts)
    by_alerts = request.origin.kind != PERSON
    if by_alerts and not (incident.alerts and all(alert.measured for alert in incident.alerts)):
        because = "The alert has no measured value, so nothing is changed because of it."
        return _nothing(because)
    if parts.metrics is None:
        return _nothing(f"Nothing was measured, because {NO_PROMETHEUS}.")
    found = recommend(take_readings(parts.metrics, parts.clock))
    lines, branch = list(found.found), branch_of(found)
    if not branch:
        missing = ", ".join(found.unread)
        return _nothing(f"Not known: {missing}. Without it the tree leads to no action.", lines)
    wanted = branches_of(request.options).get(branch)
    if wanted is None:
        who = "the rule names no action" if by_alerts else "no action was named"
        said = f"The tree leads to {branch} ({found.because}), for which {who}."
        return _nothing(said, lines)
    target, problem = _target(wanted, parts)
    if target is None:
        return _nothing(f"The tree leads to {branch} ({found.because}). {problem}", lines)
    shown = "; ".join(lines)
    return {"branch": branch, "because": found.because, "found": lines, "readings": shown}


def _nothing(because: str, found: list[str] | None = None) -> Record:
    lines = found or []
    return {"branch": "", "because": because, "found": lines, "readings": "; ".join(lines)}


def _target(wanted: Any, parts: WorkerParts) -> tuple[Target | None, str]:
    """The target of a branch by the rules in force, or a sentence that says why there is none."""
    book, name, action = parts.book(), wanted["target"], wanted["action"]
    if book is None:
        return None, "The rules cannot be read now, so its target is not known. Correct the rules."
    target = book.targets.get(name)
    if target is None or target.kind not in kinds_of(action):
        return None, f"By the rules in force {action} cannot change {name}. Correct the rule."
    return target, ""


def _tell_person(
    request: Request, parts: WorkerParts, because: str, found: Sequence[str]
) -> dict[str, Any]:
    """That nothing was asked for, and why; a plan is told to nobody but the person who asks."""
    if request.only_plans:
        return {"status": "shadow", "reason": f"Nothing would be asked for. {because}"}
    return tell(request, parts, undecided(request, because, found))


def child_of(request: Request, seen: Record, target: Target) -> Request:
    """The run that a branch asks for; its id comes with its claim."""
    wanted = branches_of(request.options)[seen["branch"]]
    action = action_spec(wanted["action"])
    options = checked_options(action.name, wanted["with"])
    direction = action.direction_of(options)
    # A person's request has its own claim, as any run that a person asks for.
    person = request.origin.kind == PERSON
    end = request.claim.rpartition(".")[2] if person else direction
    claim = f"{target.name}.{end}"
    why = f"{request.origin.why} ({seen['because']}; decided by run {request.id})"
    return replace(
        request,
        id="",
        action=action.name,
        origin=replace(request.origin, why=why),
        claim=shadow_claim(claim) if request.policy.mode == SHADOW and not person else claim,
        direction=direction,
        on=target,
        wanted=action.wanted(options),
        options=options,
        subject="",
        parent=request.id,
        step=seen["branch"],
    )


def _ask(request: Request, seen: Record, parts: WorkerParts) -> Record:
    """End this run, and queue the one that it asks for, in one transaction."""
    target, problem = _target(branches_of(request.options)[seen["branch"]], parts)
    now = parts.clock.time()
    if target is None:
        # The rules have changed since the readings. The claim is free, so a repeat decides anew.
        parts.runs.conclude(request.id, Outcome("failed", problem, now), now)
        return {"status": "failed", "run": "", "reason": problem}
    child = child_of(request, seen, target)
    said = f"{seen['because']}: {child.action} on {target.name}"
    status = "shadow" if request.only_plans else "succeeded"
    outcome = Outcome(status, said, cooldown_end(now, request.cooldown_s))
    asked = parts.runs.conclude_asking(request, outcome, child, now)
    parts.locks.cool_down(request.claim, request.id, asked.cooldown_until, now)
    run = asked.run or ""
    return {"status": asked.status, "run": run, "reason": asked.reason, "held": asked.held}


def _tell(request: Request, seen: Record, asked: Record, parts: WorkerParts) -> Record:
    """Slack: the branch, the readings, and the run or why there is none."""
    incident: Incident = incident_told(request, parts)
    wanted = branches_of(request.options)[seen["branch"]]
    message = decided(incident, wanted, seen, asked, request.origin)
    return told_or_paged(request, message, parts)
