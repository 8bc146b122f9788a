"""One worker among several: the runs of the dead, and runs that went wrong.

A dead worker's runs are handed on as soon as its lease is over, or at once when it ended cleanly.

Each sign of life says what there may be to do. Only what it names is looked at, and looked at anew:
between the two another worker may have done it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from service.domain.errors import StoreConflict, StoreUnavailable
from service.engine import durable
from service.engine.off_round import OffRound
from service.engine.parts import WorkerParts
from service.engine.rounds import Handed
from service.engine.tasks import Task, tasks_of
from service.engine.unforeseen import conclude_failed, end_unreadable, sentence_of
from service.ports.runs import Signs

_log = structlog.get_logger(__name__)

_KEEP_RETIRED_S = 7 * 86_400.0
_SWEEP_EVERY = 3


@dataclass(frozen=True, slots=True)
class Engine:
    """What supervision asks of the library of workflows."""

    pending_executors: Callable[[], set[str]] = durable.pending_executors
    pending_of: Callable[[str], set[str]] = durable.pending_of
    hand_on: Callable[[str], int] = durable.hand_on
    ended: Callable[[list[str]], dict[str, str]] = durable.ended_unsuccessfully
    statuses: Callable[[list[str]], Mapping[str, str]] = durable.statuses


class Supervisor:
    """The thread that looks after what other workers, and lost runs, left behind.

    A round comes with each sign of life. `lease_s` is in seconds. `under_way` tells which runs this
    process executes now.
    """

    def __init__(
        self,
        parts: WorkerParts,
        executor: str,
        lease_s: float,
        under_way: Callable[[], set[str]],
        engine: Engine | None = None,
    ) -> None:
        self._parts = parts
        self._executor = executor
        self._lease_s = lease_s
        self._engine = engine or Engine()
        self._rounds = Handed("supervisor", self.round)
        self._look_after_offs = OffRound(parts, executor, self._engine.statuses, durable.OVER)
        self._tasks: list[tuple[Task, Handed[bool]]] = [
            (task, Handed(task.name, task.work)) for task in tasks_of(parts)
        ]
        self._under_way = under_way
        self._stranded_since: dict[str, float] = {}
        self._count = 0

    def start(self) -> None:
        """Begin, with what is there to be adopted now, and the droplets that may be off."""
        self.adopt()
        self._look_after_offs()
        # Each start of a worker adds a row, so each start is when old ones go.
        self._parts.leases.forget_old(_KEEP_RETIRED_S)
        self._rounds.start()
        for task, thread in self._tasks:
            if task.sign is None:
                thread.hand(True)
            thread.start()

    def stop(self) -> None:
        """End the rounds."""
        self._rounds.stop(self._lease_s)
        for _, thread in self._tasks:
            thread.stop(self._lease_s)

    def tell(self, signs: Signs) -> None:
        """Have a round made with what was just seen; never waits."""
        self._rounds.hand(signs)

    def heard(self) -> None:
        """Something was queued, or a hold was lifted: look for what is due; never waits."""
        for task, thread in self._tasks:
            if task.at_once:
                thread.hand(True)

    def round(self, signs: Signs) -> None:
        """Look at what these signs name."""
        self._count += 1
        if signs.dead or signs.left:
            self.adopt()
        # A droplet that another worker has brought on is watched here until the round sees it.
        if signs.off or self._parts.off_watch.runs():
            self._look_after_offs()
        third = self._count % _SWEEP_EVERY == 0
        for task, thread in self._tasks:
            if (heard := task.heard(signs, third=third)) is not None:
                thread.hand(heard)
        if third:
            if signs.unended:
                self.sweep()
            self.end_when_stranded(any_here=signs.here)

    def adopt(self) -> None:
        """Hand on the runs of every worker that is not alive, however it ended."""
        for dead in self._parts.leases.retire_dead(besides=self._executor):
            _log.warning("worker_dead", executor=dead, consequence="its runs are handed on")
        others = self._engine.pending_executors() - {self._executor}
        if not others:
            return
        for executor in sorted(others - set(self._parts.leases.unretired())):
            if count := self._engine.hand_on(executor):
                _log.warning("runs_adopted", of=executor, count=count)

    def sweep(self) -> None:
        """Page for every run whose workflow has ended without an outcome of ours."""
        unfinished = self._parts.runs.unfinished()
        if not unfinished:
            return
        for run_id, status in self._engine.ended(unfinished).items():
            try:
                self._end_lost(run_id, status)
            except (StoreUnavailable, StoreConflict):
                raise
            except Exception as error:
                # It must not hide the lost runs after it.
                _log.exception("lost_run_unreadable", run=run_id, workflow=status)
                end_unreadable(self._parts, run_id, sentence_of(error, "Reading it"))

    def end_when_stranded(self, *, any_here: bool = True) -> None:
        """End this process when runs are recorded as under way here, and are not.

        The library leaves them so when the store fails just as it records a run's end; nobody
        else takes them while this worker lives, and their partitions stay blocked.
        """
        now = self._parts.clock.monotonic()
        recorded = self._engine.pending_of(self._executor) if any_here else set()
        stranded = recorded - self._under_way()
        self._stranded_since = {run: self._stranded_since.get(run, now) for run in stranded}
        for run, since in self._stranded_since.items():
            if now - since >= self._lease_s:
                self._parts.end_process(
                    f"run {run} is recorded as under way here and is not; this worker ends, so "
                    "that it is taken up again"
                )

    def _end_lost(self, run_id: str, status: str) -> None:
        run = self._parts.runs.get(run_id)
        # It may have ended in good order since it was listed.
        if run is None or run.ended:
            return
        sentence = f"Its workflow ended as {status}, without an outcome of the run."
        _log.error("run_lost", run=run_id, workflow=status)
        conclude_failed(self._parts, run, f"Run {run_id} was lost", sentence, "lost")
