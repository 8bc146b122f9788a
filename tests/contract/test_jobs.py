"""The times of jobs: each is taken once, by one of any number of workers, with its run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.jobs.cron import read_cron
from service.domain.jobs.jobs import LATE_S, LATEST, SKIP, Job
from service.domain.rules.rules import RuleBook
from service.engine.queue import RunQueue
from service.ports.jobs import BEGUN, MISSED, Firing, Jobs
from service.store import schema
from service.store.bell import bell_of
from service.store.jobs import KEEP_S, JobStore
from service.triggers.jobs import run_of
from tests.fakes.jobs import FakeJobs
from tests.fakes.runs import API

NOW = 1_795_000_000.0
DAY = 86_400.0
BOOK = RuleBook((), {"api": API}, "0123456789ab")
JOB = Job("more", read_cron("0 9 * * *"), "horizontal_scale", "api", {"step": 1})
NINE = JOB.cron.following(NOW) or 0.0


def sql_jobs(engine: sa.Engine) -> JobStore:
    return JobStore(engine, RunQueue(engine, bell_of(engine)).enqueue)


@pytest.fixture(params=["fake", "sql"])
def jobs(request: pytest.FixtureRequest, engine: sa.Engine) -> Jobs:
    """The record, to which the job is known since yesterday."""
    record: Jobs = FakeJobs() if request.param == "fake" else sql_jobs(engine)
    assert take(record, JOB, NINE - DAY, NINE - DAY) is None
    return record


def take(jobs: Jobs, job: Job, due_at: float, now: float) -> Firing | None:
    return jobs.take(job, due_at, now, run_of(job, BOOK, "it is due", now))


def test_a_time_is_taken_once_with_its_run(jobs: Jobs) -> None:
    taken = take(jobs, JOB, NINE, NINE + 5)
    assert taken == Firing(NINE, NINE + 5, BEGUN, "more.job.1")
    assert take(jobs, JOB, NINE, NINE + 6) is None
    assert jobs.last() == {"more": taken}


def test_each_time_has_a_run_of_its_own(jobs: Jobs) -> None:
    take(jobs, JOB, NINE, NINE)
    taken = take(jobs, JOB, NINE + DAY, NINE + DAY)
    assert taken is not None
    assert taken.run == "more.job.2"


def test_an_earlier_time_is_not_taken_after_a_later_one(jobs: Jobs) -> None:
    take(jobs, JOB, NINE + DAY, NINE + DAY)
    assert take(jobs, JOB, NINE, NINE + DAY) is None


def test_a_job_that_is_new_begins_with_its_next_time(jobs: Jobs) -> None:
    new = replace(JOB, name="new")
    assert take(jobs, new, NINE, NINE + 60) is None
    assert take(jobs, new, NINE + DAY, NINE + DAY) is not None


def test_another_schedule_begins_with_its_next_time(jobs: Jobs) -> None:
    take(jobs, JOB, NINE, NINE)
    changed = replace(JOB, cron=read_cron("30 9 * * *"))
    assert take(jobs, changed, NINE + 1_800, NINE + 3_600) is None
    assert take(jobs, changed, NINE + 1_800 + DAY, NINE + 1_800 + DAY) is not None


def test_what_was_missed_is_made_up_for_or_left_out_as_the_job_says(jobs: Jobs) -> None:
    late = NINE + LATE_S + 1
    skips = replace(JOB, catch_up=SKIP)
    assert take(jobs, skips, NINE, late) == Firing(NINE, late, MISSED, "")
    assert take(jobs, skips, NINE, late) is None
    assert take(jobs, skips, NINE + DAY, NINE + DAY + LATE_S) is not None
    catches = replace(JOB, name="catches", catch_up=LATEST)
    take(jobs, catches, NINE - DAY, NINE - DAY)
    made = take(jobs, catches, NINE, late)
    assert made is not None
    assert made.state == BEGUN


def test_of_eight_workers_at_once_one_takes_a_time(engine: sa.Engine) -> None:
    stores = [sql_jobs(engine) for _ in range(8)]
    take(stores[0], JOB, NINE - DAY, NINE - DAY)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda store: take(store, JOB, NINE, NINE), stores))
    assert [each.run for each in taken if each is not None] == ["more.job.1"]
    with engine.connect() as connection:
        runs = connection.execute(sa.select(schema.runs.c.id)).scalars().all()
        queued = connection.execute(
            sa.text("SELECT count(*) FROM workflow_status")
            if connection.dialect.name == "sqlite"
            else sa.text("SELECT count(*) FROM dbos.workflow_status")
        ).scalar_one()
    assert (runs, queued) == (["more.job.1"], 1)


def test_a_time_whose_run_cannot_be_queued_is_not_taken(engine: sa.Engine) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the queue is away")

    store = sql_jobs(engine)
    take(store, JOB, NINE - DAY, NINE - DAY)
    with pytest.raises(ConnectionError):
        take(JobStore(engine, refuse), JOB, NINE, NINE)
    assert store.last() == {}
    assert take(store, JOB, NINE, NINE) is not None


def test_old_times_are_removed_when_another_is_taken(engine: sa.Engine) -> None:
    store = sql_jobs(engine)
    take(store, JOB, NINE - DAY, NINE - DAY)
    take(store, JOB, NINE, NINE)
    take(store, JOB, NINE + DAY, NINE + DAY)
    later = NINE + DAY + KEEP_S
    take(store, JOB, later, later)
    with engine.connect() as connection:
        kept = connection.execute(sa.select(schema.job_firings.c.due_at)).scalars().all()
    assert sorted(kept) == [NINE + DAY, later]
