"""The record of readings, in memory and in SQL."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.filters import BadFilter
from service.domain.readings.readings import DAY, DAY_S, HOUR, HOUR_S, Reading, reading_of
from service.ports.readings import Readings
from service.store import schema
from service.store.filters import page_of
from service.store.pages import UnknownCursor
from service.store.queries import Queries
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


def shown(engine: sa.Engine, **given: str) -> list[tuple[Any, ...]]:
    """What the pages of readings show, one after the other."""
    queries = Queries(engine)
    found: list[tuple[Any, ...]] = []
    after: dict[str, str] = {}
    while True:
        page = page_of(queries, "readings", {**given, **after})
        found += [(each["metric"], each["target"], each["at"]) for each in page.items]
        if page.next is None:
            return found
        after = {"after": page.next}


def test_readings_are_shown_newest_first_in_pages_that_miss_and_repeat_nothing(
    engine: sa.Engine,
) -> None:
    store = ReadingStore(engine)
    store.keep(
        [
            reading_of(metric, target, NOON + n * HOUR_S, [1.0])
            for metric, target in (("cpu", ""), ("dollars", "api"), ("dollars", "worker-vm"))
            for n in range(5)
        ],
        [],
    )
    whole = shown(engine, span="hour", limit="200")
    assert len(whole) == 15
    assert [each[2] for each in whole] == sorted((each[2] for each in whole), reverse=True)
    for limit in ("1", "2", "7", "15"):
        assert shown(engine, span="hour", limit=limit) == whole
    assert len(shown(engine)) == 3
    assert {each[1] for each in shown(engine, span="hour", target="")} == {""}
    assert (
        len(shown(engine, span="hour", metric="dollars", target="api", since=f"{NOON + 60}")) == 4
    )
    assert len(shown(engine, span="hour", metric="cpu", until=f"{NOON + HOUR_S}")) == 1


def test_a_reading_is_shown_with_its_unit_and_its_beginning(engine: sa.Engine) -> None:
    ReadingStore(engine).keep([reading_of("p95", "", NOON, [100.0, 300.0])], [])
    (item,) = page_of(Queries(engine), "readings", {"span": "hour"}).items
    assert item == {
        "span": "hour",
        "metric": "p95",
        "unit": "ms",
        "target": "",
        "at": "2026-11-18T12:00:00Z",
        "mean": 200.0,
        "low": 100.0,
        "high": 300.0,
        "p95": 300.0,
        "samples": 2,
    }


@pytest.mark.parametrize(
    "after", ["", "x", "1.", "1..api", "-1.cpu.", "1e9.cpu.", "9" * 12 + ".a."]
)
def test_a_cursor_that_no_page_gave_is_refused(engine: sa.Engine, after: str) -> None:
    with pytest.raises(UnknownCursor):
        page_of(Queries(engine), "readings", {"after": after})


def test_a_span_that_is_not_kept_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(BadFilter, match="span must be one of day, hour"):
        page_of(Queries(engine), "readings", {"span": "week"})
