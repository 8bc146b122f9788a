"""The record of readings, in memory and in SQL."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest
import sqlalchemy as sa

from service.domain.readings.readings import DAY, DAY_S, HOUR, HOUR_S, Reading, reading_of
from service.ports.readings import Readings
from service.store import schema
from service.store.readings import ReadingStore
from tests.fakes.readings import FakeReadings

TODAY = 1_795_000_000.0 // DAY_S * DAY_S
NOON = TODAY + 12 * HOUR_S


@pytest.fixture(params=["fake", "sql"])
def readings(request: pytest.FixtureRequest, engine: sa.Engine) -> Readings:
    """The record, with nothing in it."""
    return FakeReadings() if request.param == "fake" else ReadingStore(engine)


def cpu(at: float, *values: float, target: str = "") -> Reading:
    return reading_of("cpu", target, at, values)


def kept(readings: Readings, span: str) -> list[Reading]:
    """All readings of a span, by metric, target and beginning."""
    if isinstance(readings, FakeReadings):
        return [each for _, each in sorted(readings.rows[span].items())]
    assert isinstance(readings, ReadingStore)
    table = schema.readings
    query = sa.select(table).where(table.c.span == span).order_by("metric", "target", "at")
    with readings._engine.connect() as connection:
        return [Reading(*row[1:]) for row in connection.execute(query)]


def test_an_hour_belongs_to_the_worker_that_takes_it_first(readings: Readings) -> None:
    assert set(readings.take([NOON, NOON + HOUR_S], 400.0, 100.0)) == {NOON, NOON + HOUR_S}
    again = readings.take([NOON, NOON + 2 * HOUR_S], 500.0, 200.0)
    assert set(again) == {NOON + 2 * HOUR_S}
    assert set(readings.dealt_with(NOON + HOUR_S, 200.0)) == {NOON + HOUR_S, NOON + 2 * HOUR_S}


def test_an_hour_that_was_not_read_in_its_time_may_be_taken_again(readings: Readings) -> None:
    readings.take([NOON], 400.0, 100.0)
    assert list(readings.take([NOON], 700.0, 399.0)) == []
    assert list(readings.dealt_with(0.0, 400.0)) == []
    assert list(readings.take([NOON], 700.0, 400.0)) == [NOON]


def test_an_hour_that_was_read_is_never_taken_again(readings: Readings) -> None:
    readings.take([NOON], 400.0, 100.0)
    readings.keep([cpu(NOON, 5.0)], [NOON])
    assert list(readings.take([NOON], 9_999.0, 9_000.0)) == []
    assert list(readings.dealt_with(0.0, 9_000.0)) == [NOON]


def test_of_an_hour_the_first_reading_stays_and_the_day_follows(readings: Readings) -> None:
    readings.keep([cpu(NOON, 10.0, 20.0)], [NOON])
    readings.keep([cpu(NOON, 99.0), cpu(NOON + HOUR_S, 65.0)], [])
    assert kept(readings, HOUR) == [cpu(NOON, 10.0, 20.0), cpu(NOON + HOUR_S, 65.0)]
    assert kept(readings, DAY) == [Reading("cpu", "", TODAY, 40.0, 10.0, 65.0, 65.0, 2)]


def test_days_metrics_and_targets_are_kept_apart(readings: Readings) -> None:
    tomorrow = TODAY + DAY_S
    readings.keep(
        [
            cpu(NOON, 1.0),
            cpu(tomorrow, 2.0),
            cpu(NOON, 3.0, target="api"),
            reading_of("rps", "", NOON, [4.0]),
        ],
        [],
    )
    found = [(each.metric, each.target, each.at, each.mean) for each in kept(readings, DAY)]
    assert found == [
        ("cpu", "", TODAY, 1.0),
        ("cpu", "", tomorrow, 2.0),
        ("cpu", "api", TODAY, 3.0),
        ("rps", "", TODAY, 4.0),
    ]


def test_what_is_too_old_is_removed_in_batches_and_days_outlive_hours(readings: Readings) -> None:
    assert readings.newest() is None
    hours = [TODAY + number * HOUR_S for number in range(-30, 10)]
    readings.take(hours, 400.0, 100.0)
    readings.keep([cpu(at, 1.0) for at in hours], hours)
    assert readings.prune(TODAY, TODAY - 9 * DAY_S, 20) == 20
    assert readings.prune(TODAY, TODAY - 9 * DAY_S, 20) == 10
    assert readings.prune(TODAY, TODAY - 9 * DAY_S, 20) == 0
    assert [each.at for each in kept(readings, HOUR)] == hours[30:]
    assert [each.at for each in kept(readings, DAY)] == [TODAY - 2 * DAY_S, TODAY - DAY_S, TODAY]
    assert min(readings.dealt_with(0.0, 500.0)) == TODAY
    assert readings.prune(TODAY, TODAY - DAY_S, 20) == 1
    assert readings.newest() == hours[-1]


def test_of_many_workers_at_once_each_hour_goes_to_one(engine: sa.Engine) -> None:
    store = ReadingStore(engine)
    hours = [NOON + number * HOUR_S for number in range(24)]
    got: list[Collection[float]] = []
    ready = threading.Barrier(4)

    def take() -> None:
        ready.wait()
        got.append(store.take(hours, 400.0, 100.0))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(at for each in got for at in each) == hours


def test_two_workers_that_read_the_same_hour_leave_one_reading_of_it(engine: sa.Engine) -> None:
    """A worker that was stopped goes on after another has taken its hour."""
    store = ReadingStore(engine)
    ready = threading.Barrier(2)

    def keep(value: float) -> None:
        ready.wait()
        store.keep([cpu(NOON + n * HOUR_S, value) for n in range(10)], [NOON])

    threads = [threading.Thread(target=keep, args=(value,)) for value in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = {each.mean for each in kept(store, HOUR)}
    assert len(kept(store, HOUR)) == 10
    assert len(values) == 1
    assert {each.mean for each in kept(store, DAY)} == values
