"""The round in which a worker keeps what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest

from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.context import Record
from service.domain.errors import FailureKind
from service.domain.readings.metrics import METRICS
from service.domain.readings.readings import AT_ONCE, DAY, DAY_S, HOUR, HOUR_S, Reading
from service.domain.rules.rules import RuleBook, Target
from service.engine.reading import ASK_EVERY_S, TAKEN_FOR_S, ReadingRound
from tests.fakes.engine import FakeChange, FakeWorker
from tests.fakes.faults import vendor_error
from tests.fakes.runs import API
from tests.fakes.telling import FakeMetrics

CPU, RPS = METRICS["cpu"].expression, METRICS["rps"].expression
BOOK = RuleBook((), MappingProxyType({API.name: API}), "0123456789ab")
SEEN = {"replicas": 3, "size": "professional-s"}


@dataclass(slots=True)
class Watched(FakeChange):
    """Notes at which targets was looked."""

    looks: list[str] = field(default_factory=list)

    def observe(self, target: Target) -> Record:
        self.looks.append(target.name)
        return {"value": "", **self.shows}


@pytest.fixture
def worker() -> FakeWorker:
    """A worker at half past, whose Prometheus has had 50 % CPU for a week."""
    worker = FakeWorker(metrics=FakeMetrics())
    now = worker.clock.time()
    worker.clock.sleep(1.5 * HOUR_S - now % HOUR_S)
    last = worker.clock.time()
    assert worker.metrics is not None
    first = (last - 7 * DAY_S) // HOUR_S * HOUR_S
    minutes = int((last - first) / 60)
    worker.metrics.past[CPU] = [(first + 60.0 * n, 50.0) for n in range(minutes)]
    return worker


def hours(worker: FakeWorker, metric: str = "cpu") -> list[Reading]:
    return [each for key, each in sorted(worker.readings.rows[HOUR].items()) if key[0] == metric]


def rounds(worker: FakeWorker, count: int, each: ReadingRound | None = None) -> ReadingRound:
    made = each or ReadingRound(worker.parts)
    for _ in range(count):
        made(True)
        worker.clock.sleep(ASK_EVERY_S)
    return made


def test_a_first_worker_reads_what_prometheus_still_has_a_day_at_a_time(worker: FakeWorker) -> None:
    this_hour = worker.clock.time() // HOUR_S * HOUR_S
    made = rounds(worker, 1)
    assert [each.at for each in hours(worker)] == [
        this_hour - n * HOUR_S for n in range(AT_ONCE, 0, -1)
    ]
    assert {(each.mean, each.samples) for each in hours(worker)} == {(50.0, 60)}
    rounds(worker, 20, made)
    assert len(hours(worker)) == 7 * 24
    assert len(worker.readings.rows[DAY]) == 8
    assert worker.readings.dealt_with(0.0, worker.clock.time())


def test_a_metric_without_data_has_no_row_and_never_a_zero(worker: FakeWorker) -> None:
    rounds(worker, 20)
    assert hours(worker, "rps") == []
    assert {key[0] for key in worker.readings.rows[DAY]} == {"cpu"}


def test_an_hour_is_asked_for_once_and_the_next_one_when_it_is_over(worker: FakeWorker) -> None:
    made = rounds(worker, 20)
    assert worker.metrics is not None
    worker.metrics.asked.clear()
    rounds(worker, 5, made)
    assert worker.metrics.asked == []
    worker.clock.sleep(HOUR_S)
    rounds(worker, 2, made)
    begin = worker.clock.time() // HOUR_S * HOUR_S - HOUR_S
    assert {(since, until) for _, since, until in worker.metrics.asked} == {
        (begin, begin + HOUR_S - 60)
    }


def test_hours_in_which_no_worker_lived_are_read_when_one_does_again(worker: FakeWorker) -> None:
    rounds(worker, 20)
    assert worker.metrics is not None
    down = worker.clock.time() // HOUR_S * HOUR_S
    worker.metrics.past[RPS] = [(down + 60.0 * n, 7.0) for n in range(30 * 60)]
    worker.clock.sleep(30 * HOUR_S)
    rounds(worker, 3)
    assert [each.mean for each in hours(worker, "rps")] == [7.0] * 30


def test_hours_that_prometheus_did_not_answer_for_are_asked_for_again(worker: FakeWorker) -> None:
    assert worker.metrics is not None
    good, last = worker.metrics.past[CPU], worker.clock.time() // HOUR_S * HOUR_S - HOUR_S
    worker.metrics.past[CPU] = vendor_error(FailureKind.TEMPORARY, "it answered 503.")
    made = rounds(worker, 1)
    first = len(worker.metrics.asked)
    rounds(worker, 3, made)
    assert hours(worker) == []
    worker.metrics.past[CPU] = good
    worker.clock.sleep(TAKEN_FOR_S)
    rounds(worker, 1, made)
    assert first == 1
    assert len(hours(worker)) == AT_ONCE
    assert hours(worker)[-1].at == last


def test_a_question_that_is_refused_for_good_does_not_keep_the_others_from_being_read(
    worker: FakeWorker,
) -> None:
    assert worker.metrics is not None
    worker.metrics.past[RPS] = vendor_error(FailureKind.PERMANENT, "several series.")
    rounds(worker, 20)
    assert len(hours(worker)) == 7 * 24
    worker.metrics.asked.clear()
    rounds(worker, 3)
    assert worker.metrics.asked == []


def test_hours_are_not_given_up_where_prometheus_refuses_every_question(worker: FakeWorker) -> None:
    assert worker.metrics is not None
    for metric in METRICS.values():
        worker.metrics.past[metric.expression] = vendor_error(FailureKind.PERMANENT, "401.")
    rounds(worker, 1)
    assert worker.readings.done == set()


def test_a_metric_of_the_rules_is_kept_like_the_others(worker: FakeWorker) -> None:
    worker.book = replace(BOOK, targets=MappingProxyType({}), readings={"users": "sum(users)"})
    assert worker.metrics is not None
    worker.metrics.past["sum(users)"] = worker.metrics.past[CPU]
    rounds(worker, 1)
    assert len(hours(worker, "users")) == AT_ONCE


def test_what_the_vendors_tell_is_kept_once_an_hour(worker: FakeWorker) -> None:
    worker.book, worker.metrics = BOOK, None
    worker.change = change = Watched(shows=SEEN)
    now = worker.clock.time() // HOUR_S * HOUR_S
    made = rounds(worker, 10)
    assert change.looks == ["api"]
    assert hours(worker, "instances") == [Reading("instances", "api", now, 3, 3, 3, 3, 1)]
    assert [each.mean for each in hours(worker, "dollars")] == [75.0]
    worker.clock.sleep(HOUR_S)
    rounds(worker, 3, made)
    assert [each.at for each in hours(worker, "dollars")] == [now, now + HOUR_S]
    ((_, day),) = [item for item in worker.readings.rows[DAY].items() if item[0][0] == "dollars"]
    assert (day.mean, day.samples) == (75.0, 2)


def test_a_cost_that_nobody_knows_is_no_reading(worker: FakeWorker) -> None:
    worker.book, worker.change.shows = BOOK, {"replicas": 3, "size": "new-size"}
    rounds(worker, 1)
    assert [each.mean for each in hours(worker, "instances")] == [3]
    assert hours(worker, "dollars") == []


def test_a_target_that_nobody_sells_is_not_looked_at(worker: FakeWorker) -> None:
    """A zone of the CDN is free, and a row of $0 for it would be of no use."""
    zone = ZoneTarget("cdn", "c0de" * 8)
    worker.book = replace(BOOK, targets=MappingProxyType({"cdn": zone}))
    worker.change = change = Watched(shows=SEEN)
    rounds(worker, 1)
    assert change.looks == []
    assert hours(worker, "dollars") == []


def test_a_target_that_cannot_be_looked_at_has_no_reading(worker: FakeWorker) -> None:
    worker.book = BOOK
    worker.change.unseen = vendor_error(FailureKind.TEMPORARY, "it answered 503.")
    rounds(worker, 2)
    assert hours(worker, "instances") == hours(worker, "dollars") == []
    assert hours(worker) != []


def test_what_is_older_than_it_is_kept_is_removed(worker: FakeWorker) -> None:
    worker.metrics = None
    now = worker.clock.time() // HOUR_S * HOUR_S
    old = [now - days * DAY_S for days in (900, 700, 36, 34)]
    worker.readings.keep([Reading("cpu", "", at, 1, 1, 1, 1, 1) for at in old], [])
    rounds(worker, 1)
    assert [each.at for each in hours(worker)] == old[3:]
    assert len(worker.readings.rows[DAY]) == 3
