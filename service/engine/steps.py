"""Step runner that ends the process when this execution no longer owns the run.

An execution that has lost its run, or whose database fails, cannot decide anything any more. What
it still did would be done beside another execution. So the process ends: the supervisor of the
platform starts it anew, and the runs go on there or at another worker.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

import structlog

from service.catalogue.context import Record
from service.domain.errors import (
    FencedOut,
    StepFailed,
    StoreConflict,
    StoreUnavailable,
    VendorError,
)
from service.engine.parts import RunLost, StepRunner, WorkerParts
from service.engine.unforeseen import sentence_of

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

_CONFLICT_TRIES = 3
"""Each time at least one of those that were in conflict has committed."""
_ENDS_PROCESS = (FencedOut, RunLost, StoreUnavailable, StoreConflict)


class Steps:
    """Runs the steps of one execution, each recorded once."""

    def __init__(self, parts: WorkerParts, run_id: str, attempt: int, record: StepRunner) -> None:
        self._parts = parts
        self._run_id = run_id
        self._attempt = attempt
        self._record = record

    def __call__(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        """The record of a step: from now, or from an earlier execution that ran it.

        Raises whatever the step raised, and nothing that is not the step's own.
        """
        try:
            return self._record(name, self._run, function, *arguments)
        except _ENDS_PROCESS as lost:  # the record could not be kept, or is another execution's
            self.end_process(lost)

    def _run(self, function: Callable[..., Record], *arguments: object) -> Record:
        """Inside of the record, so that none says that the step failed when the store did."""
        try:
            return again_on_conflict(function, *arguments)
        except _ENDS_PROCESS as lost:
            self.end_process(lost)

    def end_process(self, why: Exception) -> NoReturn:
        """End this process, and have the target looked at again where the run was lost."""
        if isinstance(why, FencedOut | RunLost):
            look_again(self._parts, self._run_id, f"fenced.{self._attempt}", 0.0)
            self._parts.end_process(
                f"run {self._run_id}: {why}; its target will be looked at again"
            )
        self._parts.end_process(
            f"run {self._run_id}: {why}; this worker ends, so that the run goes on elsewhere or "
            "after a restart"
        )


class ShownSteps(Steps):
    """The steps of a run: people see each, and whatever one raises ends the run visibly."""

    def __init__(self, parts: WorkerParts, run_id: str, attempt: int, record: StepRunner) -> None:
        super().__init__(parts, run_id, attempt, record)
        self._position = 0

    def __call__(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        """As `Steps`.

        Raises:
            StepFailed: it gave up, or raised what no step should.
            VendorError: a vendor refused.
        """
        self._position += 1
        try:
            return super().__call__(name, self._shown, self._position, name, function, *arguments)
        except (StepFailed, VendorError):
            raise
        except Exception as error:
            raise StepFailed(name, sentence_of(error, f"Step {name}")) from error

    def _shown(
        self,
        position: int,
        name: str,
        function: Callable[..., Record],
        *arguments: object,
    ) -> Record:
        run_id, runs, clock = self._run_id, self._parts.runs, self._parts.clock
        runs.step_began(run_id, position, name, self._attempt, clock.time())
        try:
            record = function(*arguments)
        except (FencedOut, StoreUnavailable, StoreConflict):
            raise  # not the step's: it ends the process, or the step is tried again
        except Exception as error:
            foreseen = isinstance(error, StepFailed | VendorError)
            said = str(error) if foreseen else repr(error)
            runs.step_ended(run_id, position, "failed", {"error": said}, clock.time())
            _log.warning("step_failed", run=run_id, step=name, error=said, exc_info=not foreseen)
            raise
        runs.step_ended(run_id, position, "done", record, clock.time())
        _log.info("step_done", run=run_id, step=name, **_said(record))
        return record


def again_on_conflict(function: Callable[..., _Result], *arguments: object) -> _Result:
    """Call a function that can be repeated, a few times when others write the same rows first.

    A step can: it is what a run does that goes on after a crash.

    Raises:
        StoreConflict: each time.
    """
    for _ in range(_CONFLICT_TRIES - 1):
        with suppress(StoreConflict):
            return function(*arguments)
    return function(*arguments)


def look_again(parts: WorkerParts, run_id: str, why: str, delay_s: float) -> None:
    """Queue a fresh look at a run's target, by a process that is about to end whatever happens."""
    try:
        parts.reconcile(run_id, why, delay_s)
    except Exception:
        _log.exception("look_not_queued", run=run_id, why=why)


def _said(record: Record) -> dict[str, str]:
    """What a step's record says of the run's outcome, for the log."""
    return {key: str(record[key]) for key in ("status", "reason") if key in record}
