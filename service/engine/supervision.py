"""One worker among several: its sign of life, the runs of the dead, and runs that went wrong.

A dead worker's runs are handed on as soon as its lease is over, or at once when it ended cleanly.
A worker that was thought dead and is not finds itself retired, and ends: its runs are others' now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from service.actions.announcements import SOURCE
from service.domain.dedup import run_dedup_key
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.planning import Ask
from service.engine import durable, telling
from service.engine.outcomes import SOONEST_AGAIN_S
from service.engine.parts import WorkerParts
from service.ports import Page
from service.ports.runs import Outcome, StoredRun

_log = structlog.get_logger(__name__)

_KEEP_RETIRED_S = 7 * 86_400.0
_ROUNDS_PER_LEASE = 5
_SWEEP_EVERY = 3


@dataclass(frozen=True, slots=True)
class Engine:
    """What supervision asks of the library of workflows."""

    pending_executors: Callable[[], set[str]] = durable.pending_executors
    hand_on: Callable[[str], int] = durable.hand_on
    ended: Callable[[list[str]], dict[str, str]] = durable.ended_unsuccessfully


class Supervisor:
    """The thread that keeps this worker alive in others' eyes, and looks after theirs.

    `lease_s` is in seconds; there are five rounds to a lease.
    """

    def __init__(
        self, parts: WorkerParts, executor: str, lease_s: float, engine: Engine | None = None
    ) -> None:
        self._parts = parts
        self._executor = executor
        self._interval_s = lease_s / _ROUNDS_PER_LEASE
        self._lease_s = lease_s
        self._engine = engine or Engine()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._renewed_at = parts.clock.time()

    def start(self) -> None:
        """Begin; the worker must be registered."""
        self._thread.start()

    def stop(self) -> None:
        """End the rounds."""
        self._stop.set()
        self._thread.join(timeout=self._lease_s)

    def _run(self) -> None:
        rounds = 0
        while not self._stop.wait(self._interval_s):
            rounds += 1
            try:
                self.round(sweep=rounds % _SWEEP_EVERY == 0)
            except (StoreUnavailable, StoreConflict) as error:
                self._outlived(error)
            except Exception:
                _log.exception("supervision_failed", consequence="tried again in the next round")

    def round(self, *, sweep: bool) -> None:
        """Show life, adopt what dead workers left, and now and then look for lost runs."""
        if not self._parts.leases.renew(self._executor):
            self._parts.end_process(
                f"worker {self._executor} was retired by another one: its runs are others' now"
            )
        self._renewed_at = self._parts.clock.time()
        self.adopt()
        if sweep:
            self.sweep()
            self._parts.leases.forget_old(_KEEP_RETIRED_S)

    def adopt(self) -> None:
        """Hand on the runs of every worker that is not alive, however it ended."""
        for dead in self._parts.leases.retire_dead():
            _log.warning("worker_dead", executor=dead, consequence="its runs are handed on")
        pending = self._engine.pending_executors()
        if pending <= {self._executor}:
            return
        for executor in sorted(pending - set(self._parts.leases.live())):
            if count := self._engine.hand_on(executor):
                _log.warning("runs_adopted", of=executor, count=count)

    def sweep(self) -> None:
        """Page for every run whose workflow has ended without an outcome of ours."""
        unfinished = self._parts.runs.unfinished()
        if not unfinished:
            return
        for run_id, status in self._engine.ended(unfinished).items():
            run = self._parts.runs.get(run_id)
            if run is not None:
                self._end_lost(run, status)

    def _end_lost(self, run: StoredRun, status: str) -> None:
        now = self._parts.clock.time()
        reason = f"the run ended without an outcome (workflow {status})"
        rests_until = now + max(run.ask.cooldown_s, SOONEST_AGAIN_S)
        if not self._parts.runs.conclude(run.id, Outcome("failed", reason, rests_until), now):
            return
        _log.error("run_lost", run=run.id, workflow=status)
        if isinstance(run.ask, Ask):
            self._parts.reconcile(run.id, 0.0)
        telling.page(
            Page(
                dedup_key=run_dedup_key(run.id),
                summary=f"Run {run.id} was lost: {reason}. Its target is being brought to safety; "
                f"see what it did with `runbookd runs {run.id}`.",
                source=SOURCE,
                severity="critical",
                component=run.ask.target.name if isinstance(run.ask, Ask) else "",
                details={"asked for because": run.ask.summary, "rule": run.ask.rule},
            ),
            self._parts,
        )

    def _outlived(self, error: Exception) -> None:
        """The database is away; once our lease is over, others may have taken our runs."""
        silent_s = self._parts.clock.time() - self._renewed_at
        _log.warning("lease_not_renewed", error=str(error), silent_s=round(silent_s, 1))
