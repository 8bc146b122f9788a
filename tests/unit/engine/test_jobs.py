"""Rounds of jobs: what is due is asked for, whatever was going on at the moment itself."""

from __future__ import annotations

from dataclasses import replace

from service.domain.decisions.policy import OFF, Policy
from service.domain.decisions.requests import JOB
from service.domain.jobs.cron import read_cron
from service.domain.jobs.jobs import Job
from service.domain.rules.rules import RuleBook
from service.engine.jobs import ASK_EVERY_S, JobRound
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API

HOUR = 3_600.0
HOURLY = Job("hourly", read_cron("0 * * * *"), "horizontal_scale", "api", {"step": 1})
BOOK = RuleBook((), {"api": API}, "0123456789ab", jobs={"hourly": HOURLY})


def world(book: RuleBook = BOOK) -> tuple[FakeWorker, JobRound]:
    worker = FakeWorker()
    worker.book = book
    made = JobRound(worker.parts)
    made(True)
    return worker, made


def test_a_job_is_asked_for_once_when_it_is_due_whenever_a_round_comes() -> None:
    worker, look = world()
    for _ in range(int(HOUR / ASK_EVERY_S) + 5):
        worker.clock.sleep(ASK_EVERY_S)
        look(True)
    asked = [each.request for each in worker.jobs.queued]
    assert [each.origin.kind for each in asked] == [JOB]
    assert asked[0].id == "hourly.job.1"
    assert asked[0].wanted[0].by == 1
    assert asked[0].target is API
    assert asked[0].origin.why.startswith("it is due at ")


def test_after_a_downtime_of_a_day_the_newest_time_alone_is_made_up_for() -> None:
    worker, look = world()
    worker.clock.sleep(24 * HOUR)
    look(True)
    look(True)
    (only,) = worker.jobs.firings.values()
    assert worker.clock.time() - only.due_at < HOUR


def test_a_second_worker_asks_for_nothing_that_the_first_has_asked_for() -> None:
    worker, look = world()
    other = JobRound(worker.parts)
    worker.clock.sleep(HOUR)
    look(True)
    other(True)
    assert len(worker.jobs.queued) == 1


def test_a_worker_whose_rules_are_not_in_force_any_more_asks_for_nothing() -> None:
    worker, look = world()
    worker.levels.rules = "ba9876543210"
    worker.clock.sleep(HOUR)
    look(True)
    assert worker.jobs.queued == []
    worker.levels.rules = BOOK.hash
    worker.clock.sleep(ASK_EVERY_S)
    look(True)
    assert len(worker.jobs.queued) == 1


def test_with_mode_off_no_job_changes_anything() -> None:
    worker, look = world(replace(BOOK, policy=Policy(OFF)))
    worker.clock.sleep(2 * HOUR)
    look(True)
    assert worker.jobs.queued == []


def test_a_round_before_the_next_time_does_not_ask_the_store() -> None:
    worker, look = world()
    worker.clock.sleep(HOUR)
    look(True)
    worker.jobs.firings.clear()
    worker.clock.sleep(ASK_EVERY_S)
    look(True)
    assert worker.jobs.firings == {}
