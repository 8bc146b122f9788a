"""Runs that start a scenario, because an alert asks for it by a rule.

The scenario is started in the transaction that ends the run, so there is one of it, however often
the steps are repeated. From then on it goes on as one that a person has started.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.catalogue.context import Record
from service.domain.decisions.controls import Subject
from service.domain.decisions.decision import Check
from service.domain.decisions.guards import held_by, limits_of_start
from service.domain.decisions.policy import APPROVE, OFF, SHADOW
from service.domain.decisions.requests import Request
from service.domain.people import BadRequest
from service.domain.rules.rules import RuleBook
from service.domain.scenarios.scenarios import Scenario
from service.engine.messages import incident_told, told_or_paged
from service.engine.outcomes import cooldown_end
from service.engine.parts import StepRunner, WorkerParts
from service.messages.starting import asked_in_vain
from service.ports.runs import Outcome
from service.ports.scenarios import NewScenario, StartedByRule
from service.triggers.scenarios.starting import first_state, requests_of


def start_by_rule(request: Request, parts: WorkerParts, step: StepRunner) -> None:
    """One execution: the scenario, or why there is none. A scenario that was started tells of
    itself, so only what came to nothing, and what was only planned, has a message of its own."""
    made = step("start", _start, request, parts)
    if made["status"] in ("failed", "held", "shadow"):
        step("tell", _tell, request, made, parts)


def _start(request: Request, parts: WorkerParts) -> Record:
    """Start it, and end this run, in one transaction."""
    now, name = parts.clock.time(), str(request.options["scenario"])
    if request.origin.needs_alert and not parts.runs.still_wanted(request, now):
        return _conclude(request, Outcome("held", RESOLVED_SAID, now), parts, quietly=True)
    book = parts.book()
    problem = _problem(book, name, request)
    if book is None or problem:
        said = f"scenario {name} was not started: {problem}"
        return _conclude(request, Outcome("failed", said, now), parts)
    scenario = _as_asked(book.scenarios[name], request)
    if (held := _held(scenario, request, parts)) is not None:
        again_at = held.until if held.until is not None else now + AGAIN_S
        return _conclude(request, Outcome("held", held.saw, now, again_at), parts)
    why = request.origin.why
    try:
        steps = requests_of(book, scenario, why)
    except BadRequest as refused:
        said = f"scenario {name} was not started: {refused.sentence}"
        return _conclude(request, Outcome("failed", said, now), parts)
    plan_only = request.policy.mode == SHADOW
    new = NewScenario(
        scenario=scenario,
        steps=steps,
        by=request.origin.by,
        why=why,
        rules_hash=book.hash,
        at=now,
        plan_only=plan_only,
        first=first_state(scenario, None, plan_only=plan_only),
        parent=request.id,
        alerts=request.origin.alerts,
    )
    made = parts.scenarios.start_by_rule(request, new, now)
    return _recorded(request, made, parts)


def _recorded(request: Request, made: StartedByRule, parts: WorkerParts) -> Record:
    """What has become of this run, as its step keeps it."""
    now = parts.clock.time()
    parts.locks.cool_down(request.claim, request.id, made.cooldown_until, now)
    # A sender repeats its alert for as long as the scenario goes on; people read why once.
    quiet = {"quiet": True} if made.told_before or made.reason == RESOLVED_SAID else {}
    return {"status": made.status, "reason": made.reason, "scenario": made.scenario, **quiet}


def _problem(book: RuleBook | None, name: str, request: Request) -> str:
    """Why the rules in force do not let this rule start it; empty where they do."""
    if book is None:
        return "the rules cannot be read now. Correct them"
    scenario = book.scenarios.get(name)
    if scenario is None or request.origin.by not in scenario.rules:
        return f"by the rules in force, rule {request.origin.by} may not start it. Correct the rule"
    if scenario.emergency:
        return "it is an emergency, which only a person starts"
    if book.policy.mode == OFF:
        return "the rules say mode: off"
    return ""


def _held(scenario: Scenario, request: Request, parts: WorkerParts) -> Check | None:
    """What holds all of its targets since the alert came: a pause, a lock or a freeze window. None
    of a run that a person has cancelled: that is how it ends."""
    if parts.runs.cancelled(request.id):
        return None
    changes = [
        Subject(each, request.origin.by, request.direction, request.action)
        for each in scenario.targets
    ]
    limits = limits_of_start(
        changes, parts.controls.in_force(), request.policy.freezes, parts.clock.time()
    )
    return held_by([check for check in limits.values() if check is not None])


def _as_asked(scenario: Scenario, request: Request) -> Scenario:
    """In mode approve a person approves the whole of it, whatever it adds to the bill: whoever the
    scenario names, else whoever the rule names."""
    if request.policy.mode != APPROVE:
        return scenario
    approval = scenario.approval or request.policy.approval
    return replace(scenario, approval=approval, above=0.0)


def _conclude(
    request: Request, outcome: Outcome, parts: WorkerParts, *, quietly: bool = False
) -> Record:
    """End this run without a scenario. Its claim is free a little later, so a repeat asks anew; at
    once where its alerts are judged again by themselves."""
    now = parts.clock.time()
    ended = outcome
    if outcome.due_at is None:
        until = cooldown_end(now, min(request.cooldown_s, AGAIN_S))
        ended = replace(outcome, cooldown_until=until)
    if not parts.runs.conclude(request.id, ended, now):
        # An earlier execution has ended it, maybe by rules that have changed since.
        return _recorded(request, parts.scenarios.became(request.id), parts)
    parts.locks.cool_down(request.claim, request.id, ended.cooldown_until, now)
    told = {"quiet": True} if quietly else {}
    again = {"again": True} if ended.due_at is not None else {}
    return {"status": ended.status, "reason": ended.reason, "scenario": "", **told, **again}


RESOLVED_SAID = "Every alert that asked for it has resolved meanwhile."
"""Why a run ends that nobody is told of."""
AGAIN_S = 60.0
"""How soon an alert may ask again, in seconds."""


def _tell(request: Request, made: Record, parts: WorkerParts) -> dict[str, Any]:
    """Slack: that nothing was started and why, or the plan that a rule in shadow has made."""
    if made.get("quiet"):
        return {"told": "nobody"}
    message = asked_in_vain(request, incident_told(request, parts), made)
    return told_or_paged(request, message, parts)
