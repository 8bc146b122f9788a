"""The times of jobs that were taken, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from service.domain.jobs.jobs import Job
from service.ports.admission import NewRun
from service.ports.jobs import BEGUN, MISSED, Firing
from service.store import schema
from service.store.admissions import Enqueue, add_run
from service.store.claims import next_run
from service.store.database import begin_writing, insert_of, translated
from service.triggers.jobs import claim_of

_j, _f = schema.jobs.c, schema.job_firings.c
KEEP_S = 90 * 86_400.0
"""How long a time stays on record, in seconds: a job of each minute has 130,000 in it."""


class JobStore:
    """The tables of jobs."""

    def __init__(
        self, engine: sa.Engine, enqueue: Enqueue, queued: Callable[[], None] = lambda: None
    ) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._queued = queued

    def take(
        self, job: Job, due_at: float, now: float, make: Callable[[str], NewRun]
    ) -> Firing | None:
        """As `Jobs`: the row of the time is what one worker alone can add."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if _since(connection, job, now) >= due_at or _newest(connection, job) >= due_at:
                return None
            state = MISSED if job.missed(due_at, now) else BEGUN
            row = {"job": job.name, "due_at": due_at, "at": now, "state": state, "run": ""}
            insert = insert_of(connection.dialect, schema.job_firings).on_conflict_do_nothing()
            if not connection.execute(insert, row).rowcount:
                return None
            run = ""
            if state == BEGUN:
                new = make(next_run(connection, claim_of(job.name)))
                add_run(connection, new)
                self._enqueue(connection, new)
                run = new.request.id
                taken = sa.update(schema.job_firings)
                taken = taken.where(_f.job == job.name, _f.due_at == due_at)
                connection.execute(taken.values(run=run))
            old = sa.delete(schema.job_firings)
            connection.execute(old.where(_f.job == job.name, _f.due_at < due_at - KEEP_S))
        if run:
            self._queued()
        return Firing(due_at, now, state, run)

    def last(self) -> Mapping[str, Firing]:
        """As `Jobs`."""
        newest = sa.select(_f.job, sa.func.max(_f.due_at).label("due_at")).group_by(_f.job)
        of = newest.subquery()
        query = sa.select(_f.job, _f.due_at, _f.at, _f.state, _f.run).join(
            of, sa.and_(_f.job == of.c.job, _f.due_at == of.c.due_at)
        )
        with translated(), self._engine.connect() as connection:
            return {row.job: Firing(*row[1:]) for row in connection.execute(query)}


def _since(connection: sa.Connection, job: Job, now: float) -> float:
    """Since when the job is known with this schedule, in seconds since the epoch."""
    insert = insert_of(connection.dialect, schema.jobs)
    row = {"name": job.name, "schedule": job.schedule, "since": now}
    changed = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={name: insert.excluded[name] for name in ("schedule", "since")},
        where=_j.schedule != insert.excluded.schedule,
    )
    connection.execute(changed, row)
    known = sa.select(_j.since).where(_j.name == job.name)
    return float(connection.execute(known).scalar_one())


def _newest(connection: sa.Connection, job: Job) -> float:
    newest = sa.select(sa.func.max(_f.due_at)).where(_f.job == job.name)
    return float(connection.execute(newest).scalar_one() or 0.0)
