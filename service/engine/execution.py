"""The stable interpreter of a run: one execution, from its fencing token to its outcome.

Everything that decides is read in a step and recorded, so that a repeated execution takes the
same way. What happens outside of a step is only the raising of the token, which each execution
needs anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from service.catalogue.actions import COST_REPORT, DECIDE, START_SCENARIO, TELL, WEEKLY_REPORT
from service.catalogue.registry import action_spec
from service.catalogue.request_json import load_request
from service.catalogue.spec import Effect
from service.catalogue.watch import WATCH
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, StoreConflict, StoreUnavailable, VendorError
from service.engine.context import RunContext
from service.engine.costs import report_costs
from service.engine.deciding import decide
from service.engine.messages import send_message
from service.engine.pages import send_page
from service.engine.parts import StepRunner, WorkerParts
from service.engine.scaling import Scaling
from service.engine.starting import start_by_rule
from service.engine.steps import ShownSteps, again_on_conflict
from service.engine.telling import tell_teams
from service.engine.unforeseen import STEP, end_visibly, sentence_of
from service.engine.watching import begin_watch
from service.engine.weekly import report_week

_log = structlog.get_logger(__name__)


def execute(parts: WorkerParts, run_id: str, pinned: Mapping[str, Any], record: StepRunner) -> None:
    """Execute a run whose request was pinned when it was queued."""
    request = load_request(pinned)
    with bound_contextvars(**ids_of(request)):
        _execute(request, parts, record)


def ids_of(request: Request) -> dict[str, str]:
    """By what each log line of a run is found, also those of its calls to vendors: the run, the
    first alert that asked for it, and the notification that brought that."""
    origin = request.origin
    alert = next(iter(origin.alerts), "")
    found = {"run": request.id, "alert": alert, "notification": origin.notification}
    return {name: each for name, each in found.items() if each}


def _execute(request: Request, parts: WorkerParts, record: StepRunner) -> None:
    run_id = request.id
    try:
        attempt = again_on_conflict(parts.runs.begin, run_id, parts.clock.time())
    except (StoreUnavailable, StoreConflict) as error:
        parts.end_process(f"run {run_id} could not begin: {error}")
    step = ShownSteps(parts, run_id, attempt, record)
    try:
        _go(request, parts, attempt, step)
    except Exception as error:
        if not isinstance(error, StepFailed | VendorError):  # a step's error was logged there
            _log.exception("run_raised", run=run_id)
        step(STEP, end_visibly, parts, run_id, sentence_of(error, "The run"), attempt)


def _go(request: Request, parts: WorkerParts, attempt: int, step: ShownSteps) -> None:
    """The run itself, by what its action does to the world."""
    effect = action_spec(request.action).effect
    if effect is Effect.CHANGES:
        context = RunContext(parts, request.id, attempt, request.target.resource, request)
        Scaling(request, parts, context, step).execute(attempt)
    elif effect is Effect.CALLS:
        fence = RunContext(parts, request.id, attempt, request.subject).fence
        send_page(request, parts, step, fence)
    elif request.action == TELL.name:
        fence = RunContext(parts, request.id, attempt, request.subject).fence
        tell_teams(request, parts, step, fence)
    elif request.action == COST_REPORT.name:
        fence = RunContext(parts, request.id, attempt, request.subject).fence
        report_costs(request, parts, step, fence)
    elif request.action == WEEKLY_REPORT.name:
        fence = RunContext(parts, request.id, attempt, request.subject).fence
        report_week(request, parts, step, fence)
    elif request.action == DECIDE.name:
        decide(request, parts, step)
    elif request.action == START_SCENARIO.name:
        start_by_rule(request, parts, step)
    elif request.action == WATCH.name:
        step("begin", begin_watch, request, parts)
    else:
        send_message(request, parts, step)
