"""Runs that change nothing but tell one message: investigate, and whatever no rule matches."""

from __future__ import annotations

from typing import Any

from service.actions.investigate import investigate
from service.actions.retry import call_with_retries
from service.domain.errors import VendorError
from service.domain.incident import Incident
from service.domain.planning import Tell
from service.engine.parts import StepRunner, WorkerParts
from service.ports.runs import Outcome

_ATTEMPTS, _BUDGET_S = 20, 300.0
"""The message is all that this run is for, so it waits for Slack for five minutes."""


def send_message(ask: Tell, parts: WorkerParts, step: StepRunner) -> None:
    """One execution: look, tell, rest."""
    told = step("investigate", lambda: _investigate(ask, parts))
    step("conclude", lambda: _conclude(ask, told, parts))


def _investigate(ask: Tell, parts: WorkerParts) -> dict[str, Any]:
    found = parts.runs.alerts(ask.alerts)
    alerts = tuple(alert for alert, _ in found)
    incident = Incident(
        key=ask.subject,
        source=alerts[0].source if alerts else "",
        rule=ask.rule,
        receiver="",
        group_labels={},
        alerts=alerts,
        count=max(len(ask.alerts), len(alerts)),
    )
    message = investigate(incident, _known(parts), parts.metrics, parts.clock)
    try:
        call_with_retries(
            lambda: parts.messenger.post(message),
            clock=parts.clock,
            attempts=_ATTEMPTS,
            budget_s=_BUDGET_S,
        )
    except VendorError as error:
        return {"status": "failed", "reason": f"nobody could be told: {error}"}
    return {"status": "succeeded", "reason": message.title}


def _known(parts: WorkerParts) -> dict[str, str]:
    """What runbookd itself did last, by target: often the first question."""
    return {
        f"Last run on {target}": f"{status}: {reason}"
        for target, status, reason in parts.runs.last_by_target()
    }


def _conclude(ask: Tell, told: dict[str, Any], parts: WorkerParts) -> dict[str, Any]:
    now = parts.clock.time()
    until = now + ask.cooldown_s if told["status"] == "succeeded" else now
    parts.runs.conclude(ask.run_id, Outcome(told["status"], told["reason"], until), now)
    stored = parts.runs.get(ask.run_id)
    if stored is not None:
        parts.locks.rest(stored.claim, ask.run_id, until, now)
    return {"status": told["status"]}
