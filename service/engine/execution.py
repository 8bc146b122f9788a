"""The stable interpreter of a run: one execution, from its fencing token to its outcome.

Everything that decides is read in a step and recorded, so that a repeated execution takes the
same way. What happens outside of a step is only the raising of the token, which each execution
needs anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from service.catalogue.ask_json import load_ask
from service.catalogue.context import Record
from service.catalogue.registry import action_spec
from service.catalogue.spec import Effect
from service.domain.decisions.planning import Ask, Tell
from service.domain.errors import (
    FencedOut,
    StepFailed,
    StoreConflict,
    StoreUnavailable,
    VendorError,
)
from service.engine.context import RunContext
from service.engine.guarded import Guarded, again_on_conflict
from service.engine.messages import send_message
from service.engine.pages import send_page
from service.engine.parts import StepRunner, WorkerParts
from service.engine.scaling import Scaling
from service.engine.unforeseen import STEP, end_visibly, sentence_of

_log = structlog.get_logger(__name__)


class Execution:
    """One execution of a run on this worker; its steps are recorded and shown."""

    def __init__(self, parts: WorkerParts, run_id: str, attempt: int, step: StepRunner) -> None:
        self.parts = parts
        self.run_id = run_id
        self.attempt = attempt
        self._step = Guarded(parts, run_id, attempt, step)
        self._position = 0

    def step(self, name: str, function: Callable[[], Record]) -> Record:
        """Run one step, unless an earlier execution has recorded it.

        Raises:
            StepFailed: it gave up, or raised what no step should.
            VendorError: a vendor refused.
        """
        self._position += 1
        position = self._position
        try:
            return self._step(name, lambda: self._shown(position, name, function))
        except (StepFailed, VendorError):
            raise
        except Exception as error:
            raise StepFailed(name, sentence_of(error, f"Step {name}")) from error

    def _shown(self, position: int, name: str, function: Callable[[], Record]) -> Record:
        runs, clock = self.parts.runs, self.parts.clock
        runs.step_began(self.run_id, position, name, self.attempt, clock.time())
        try:
            record = function()
        except (FencedOut, StoreUnavailable, StoreConflict):
            raise  # not the step's: it ends the process, or the step is tried again
        except Exception as error:
            foreseen = isinstance(error, StepFailed | VendorError)
            said = str(error) if foreseen else repr(error)
            runs.step_ended(self.run_id, position, "failed", {"error": said}, clock.time())
            _log.warning(
                "step_failed", run=self.run_id, step=name, error=said, exc_info=not foreseen
            )
            raise
        runs.step_ended(self.run_id, position, "done", record, clock.time())
        _log.info("step_done", run=self.run_id, step=name, **_said(record))
        return record


def execute(parts: WorkerParts, run_id: str, pinned: Mapping[str, Any], step: StepRunner) -> None:
    """Execute a run whose ask was pinned when it was queued."""
    ask = load_ask(pinned)
    try:
        attempt = again_on_conflict(lambda: parts.runs.begin(run_id, parts.clock.time()))
    except (StoreUnavailable, StoreConflict) as error:
        parts.end_process(f"run {run_id} could not begin: {error}")
    execution = Execution(parts, run_id, attempt, step)
    try:
        _go(ask, execution)
    except Exception as error:
        if not isinstance(error, StepFailed | VendorError):  # a step's error was logged there
            _log.exception("run_raised", run=run_id)
        sentence = sentence_of(error, "The run")
        execution.step(STEP, lambda: end_visibly(parts, run_id, sentence, attempt))


def _go(ask: Ask | Tell, execution: Execution) -> None:
    """The run itself, by what it does."""
    parts, run_id, attempt = execution.parts, execution.run_id, execution.attempt
    if isinstance(ask, Ask):
        context = RunContext(parts, run_id, attempt, ask.target.resource)
        Scaling(ask, parts, context, execution.step).execute(attempt)
    else:
        _tell(ask, parts, execution.step, RunContext(parts, run_id, attempt, ask.subject).fence)


def _said(record: Record) -> dict[str, str]:
    """What a step's record says of the run's outcome, for the log."""
    return {key: str(record[key]) for key in ("status", "reason") if key in record}


def _tell(ask: Tell, parts: WorkerParts, step: StepRunner, fence: Callable[[], None]) -> None:
    if action_spec(ask.action).effect is Effect.CALLS:
        send_page(ask, parts, step, fence)
    else:
        send_message(ask, parts, step)
