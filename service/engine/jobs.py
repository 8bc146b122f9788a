"""Jobs: what is due is asked for, by one of any number of workers."""

from __future__ import annotations

import structlog

from service.domain.decisions.policy import OFF
from service.domain.durations import clock_time
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.jobs.jobs import Job
from service.domain.rules.rules import RuleBook
from service.engine.parts import WorkerParts
from service.triggers.jobs import run_of

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker looks whether a job is due, in seconds."""


class JobRound:
    """Asks for every job that is due.

    Nothing happens at the moment itself, so nothing can be missed then: each round computes the
    last time that each job was due, and takes it where nobody has. The store is asked only about a
    time that this worker has not asked about before.
    """

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0
        self._dealt_with: dict[str, float] = {}

    def __call__(self, _sign: bool) -> None:
        """One round."""
        book, at = self._parts.book(), self._parts.clock.monotonic()
        if book is None or at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        for job in book.jobs.values():
            if job.target is None or book.policy.mode != OFF:
                self._asked(job, book)

    def _asked(self, job: Job, book: RuleBook) -> None:
        try:
            self._ask(job, book)
        except (StoreUnavailable, StoreConflict):
            raise
        except Exception:
            # It must not keep the other jobs.
            _log.exception("job_not_asked_for", job=job.name)

    def _ask(self, job: Job, book: RuleBook) -> None:
        now = self._parts.clock.time()
        due_at = job.cron.latest(now)
        if due_at is None or self._dealt_with.get(job.name) == due_at:
            return
        if self._parts.levels.in_force() not in ("", book.hash):
            return  # a worker with newer rules has started, and asks by those
        why = f"it is due at {clock_time(due_at)} ({job.cron.text}, {job.cron.zone})"
        taken = self._parts.jobs.take(job, due_at, now, run_of(job, book, why, now))
        self._dealt_with[job.name] = due_at
        if taken is not None:
            _log.info("job_due", job=job.name, due=clock_time(due_at), run=taken.run or "missed")
