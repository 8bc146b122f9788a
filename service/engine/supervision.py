"""One worker among several: the runs of the dead, and runs that went wrong.

A dead worker's runs are handed on as soon as its lease is over, or at once when it ended cleanly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from service.actions.announcements import SOURCE
from service.domain.dedup import run_dedup_key
from service.domain.planning import Ask
from service.engine import durable
from service.engine.lease import ROUNDS_PER_LEASE
from service.engine.off_round import OffRound
from service.engine.outcomes import SOONEST_AGAIN_S
from service.engine.parts import LatePage, WorkerParts
from service.engine.rounds import Rounds
from service.ports import Page
from service.ports.runs import Outcome, StoredRun

_log = structlog.get_logger(__name__)

_KEEP_RETIRED_S = 7 * 86_400.0
_SWEEP_EVERY = 3
_UNENDED = frozenset({"queued", "running"})


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

    `lease_s` is in seconds; there are five rounds to a lease. `under_way` tells which runs this
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
        self._rounds = Rounds("supervisor", lease_s / ROUNDS_PER_LEASE, self._round)
        self._look_after_offs = OffRound(parts, executor, self._engine.statuses, durable.OVER)
        self._under_way = under_way
        self._stranded_since: dict[str, float] = {}
        self._count = 0

    def start(self) -> None:
        """Begin, with what is there to be adopted now, and the droplets that may be off."""
        self.adopt()
        self._look_after_offs()
        self._rounds.start()

    def stop(self) -> None:
        """End the rounds."""
        self._rounds.stop(self._lease_s)

    def _round(self) -> None:
        self._count += 1
        self.adopt()
        self._look_after_offs()
        if self._count % _SWEEP_EVERY == 0:
            self.sweep()
            self.end_when_stranded()
            self._parts.leases.forget_old(_KEEP_RETIRED_S)

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
            run = self._parts.runs.get(run_id)
            # It may have ended in good order since it was listed.
            if run is None or run.status not in _UNENDED:
                continue
            self._end_lost(run, status)

    def end_when_stranded(self) -> None:
        """End this process when runs are recorded as under way here, and are not.

        The library leaves them so when the store fails just as it records a run's end; nobody
        else takes them while this worker lives, and their partitions stay blocked.
        """
        now = self._parts.clock.monotonic()
        stranded = self._engine.pending_of(self._executor) - self._under_way()
        self._stranded_since = {run: self._stranded_since.get(run, now) for run in stranded}
        for run, since in self._stranded_since.items():
            if now - since >= self._lease_s:
                self._parts.end_process(
                    f"run {run} is recorded as under way here and is not; this worker ends, so "
                    "that it is taken up again"
                )

    def _end_lost(self, run: StoredRun, status: str) -> None:
        """Bring its target to safety, page, and only then call it ended.

        The pager is not tried here: waiting for it would keep the runs of dead workers waiting.
        """
        now = self._parts.clock.time()
        reason = f"the run ended without an outcome (workflow {status})"
        _log.error("run_lost", run=run.id, workflow=status)
        if isinstance(run.ask, Ask):
            self._parts.reconcile(run.id, "lost", 0.0)
        self._parts.page_later(LatePage(_lost_page(run, reason), now), 0.0)
        rests_until = now + max(run.ask.cooldown_s, SOONEST_AGAIN_S)
        self._parts.runs.conclude(run.id, Outcome("failed", reason, rests_until), now)


def _lost_page(run: StoredRun, reason: str) -> Page:
    return Page(
        dedup_key=run_dedup_key(run.id),
        summary=f"Run {run.id} was lost: {reason}. Its target is being brought to safety; "
        f"see what it did with `runbookd runs {run.id}`.",
        source=SOURCE,
        severity="critical",
        component=run.ask.target.name if isinstance(run.ask, Ask) else "",
        details={"asked for because": run.ask.summary, "rule": run.ask.rule},
    )
