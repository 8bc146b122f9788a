"""Steps after which nothing goes on that must not.

An execution that has lost its run, or whose database fails, cannot decide anything any more, and
whatever it still did would be done beside another one. So the process ends: the supervisor of
the platform starts it anew, and the runs go on there or at another worker.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from service.catalogue.context import Record
from service.domain.errors import FencedOut, StoreConflict, StoreUnavailable
from service.engine.parts import RunLost, StepRunner, WorkerParts

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

_CONFLICT_TRIES = 3
"""Each time at least one of those that were in conflict has committed."""


class Guarded:
    """A StepRunner that ends the process instead of recording a failure that is not the step's."""

    def __init__(self, parts: WorkerParts, run_id: str, attempt: int, step: StepRunner) -> None:
        self._parts = parts
        self._run_id = run_id
        self._attempt = attempt
        self._step = step

    def __call__(self, name: str, function: Callable[[], Record]) -> Record:
        """Run one step, unless an earlier execution has recorded it."""
        # Inside, so that no record says the step failed; outside, as the record itself may.
        return self._or_end(lambda: self._step(name, lambda: self._or_end(function)))

    def _or_end(self, function: Callable[[], Record]) -> Record:
        try:
            return again_on_conflict(function)
        except (FencedOut, RunLost) as lost:
            look_again(self._parts, self._run_id, f"fenced.{self._attempt}", 0.0)
            self._parts.end_process(
                f"run {self._run_id}: {lost}; its target will be looked at again"
            )
        except (StoreUnavailable, StoreConflict) as error:
            self._parts.end_process(
                f"run {self._run_id}: {error}; this worker ends, so that the run goes on elsewhere "
                "or after a restart"
            )


def again_on_conflict(function: Callable[[], _Result]) -> _Result:
    """Call a function that can be repeated, a few times when others write the same rows first.

    A step can: it is what a run does that goes on after a crash.

    Raises:
        StoreConflict: each time.
    """
    for _ in range(_CONFLICT_TRIES - 1):
        with suppress(StoreConflict):
            return function()
    return function()


def look_again(parts: WorkerParts, run_id: str, why: str, delay_s: float) -> None:
    """Queue a fresh look at a run's target, by a process that is about to end whatever happens."""
    try:
        parts.reconcile(run_id, why, delay_s)
    except Exception:
        _log.exception("look_not_queued", run=run_id, why=why)
