"""Scenarios as plain values, for the API and the terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.decisions.decision_json import moment
from service.domain.scenarios.going import Child, ScenarioNow, StepNow
from service.domain.scenarios.scenarios import NONE as NO_UNDO
from service.domain.scenarios.scenarios import RESTORE, Scenario


def scenario_told(scenario: Scenario) -> dict[str, Any]:
    """A scenario as the rules have it."""
    fields = scenario.fields()
    return {
        "name": scenario.name,
        "emergency": scenario.emergency,
        "approval": fields["approval"],
        "above": scenario.above,
        "signoff": fields.get("signoff"),
        "lasts_s": scenario.lasts_s,
        "up_to": scenario.dollars,
        "written": scenario.written,
        "rules": list(scenario.rules),
        "early": None if scenario.early is None else scenario.early.said,
        "covers_s": scenario.covers_s,
        "steps": fields["steps"],
    }


def run_told(now: ScenarioNow, in_the_way: Mapping[str, str]) -> dict[str, Any]:
    """A scenario that was started. `in_the_way` says what would hold which step now."""
    return {
        "id": now.id,
        "scenario": now.scenario.name,
        "emergency": now.scenario.emergency,
        "approval": None if now.scenario.approval is None else now.scenario.approval.to_json(),
        "above": now.scenario.above,
        "state": now.state,
        "reason": now.reason,
        "by": now.by,
        "started_by": now.starter,
        "parent": now.parent,
        "alerts": list(now.alerts),
        "why": now.why,
        "plan": now.plan_only,
        "began_at": moment(now.began_at),
        "due_at": moment(now.due_at),
        "back_at": moment(now.due_at) if now.goes_back else None,
        "early": None if now.scenario.early is None else now.scenario.early.said,
        "quiet_since": None if now.quiet is None else moment(now.quiet.since),
        "plan_hash": now.plan_hash,
        "signoff": None if now.scenario.signoff is None else now.scenario.signoff.to_json(),
        "signs": now.signs,
        "unsigned_after": list(now.unsigned_after),
        "signoffs": [each.to_json() for each in now.signoffs],
        "decided": None
        if now.decided is None
        else {
            "by": now.decided.by,
            "why": now.decided.why,
            "at": moment(now.decided.at),
            "what": now.decided.what,
            "plan": now.approved,
        },
        "dollars": now.dollars,
        "message": now.message,
        "asked": None
        if now.asked is None
        else {
            "plan": now.asked.plan,
            "dollars": now.asked.dollars,
            "why": now.asked.why,
            "until": moment(now.asked.until),
        },
        "steps": [_step_told(each, in_the_way.get(each.step.id, "")) for each in now.steps],
    }


def asking_told(now: ScenarioNow) -> dict[str, Any]:
    """One that waits for approval, as the plans of runs are told that do."""
    asked, terms = now.asked, now.scenario.approval
    if asked is None or terms is None:
        raise ValueError(f"scenario {now.id} waits for nobody")
    return {
        "id": now.id,
        "state": now.state,
        "run": now.id,
        "target": ", ".join(now.scenario.targets),
        "why": asked.why,
        "what": f"scenario {now.scenario.name}",
        "before": "not begun",
        "after": f"{len(now.steps)} steps",
        "price_before": None if asked.dollars is None else 0.0,
        "price_after": asked.dollars,
        "downtime": "",
        "plan": asked.plan,
        "from": list(terms.of),
        "otherwise": terms.otherwise,
        "asked_at": moment(asked.until - terms.wait_s),
        "until": moment(asked.until),
        "decided_at": None,
        "decided_by": None,
        "decided_why": None,
        "next_run": None,
    }


def _step_told(step: StepNow, in_the_way: str) -> dict[str, Any]:
    child = step.child or step.plan
    plan = None if child is None else child.plan
    return {
        "id": step.step.id,
        "action": step.step.action,
        "target": step.step.target,
        "after": list(step.step.after),
        "state": step.state,
        "reason": step.reason or _held(child),
        "run": None if child is None else child.run,
        "what": None if plan is None else plan.what,
        "before": None if plan is None else plan.before,
        "to": None if plan is None else plan.after,
        "dollars": None if child is None else child.dollars,
        "downtime": "" if plan is None else plan.downtime,
        "undo": RESTORE if step.step.restores else NO_UNDO,
        "confirm": step.step.confirm,
        "when": None if step.step.when is None else step.step.when.reading,
        "in_the_way": in_the_way,
        "back": step.back_state,
        "back_reason": step.back_reason,
        "back_run": None if step.back is None else step.back.run,
    }


def _held(child: Child | None) -> str:
    """Why nothing was planned, where nothing was."""
    return child.reason if child is not None and child.plan is None and child.ended else ""
