"""What was done in a time: the fake and the tables, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.domain.costs.week import RunCount
from service.domain.readings.readings import DAY_S, HOUR_S, Reading
from service.ports.admission import NewRun
from service.ports.runs import Outcome
from service.ports.weeks import Weeks
from service.store.admissions import add_run
from service.store.readings import ReadingStore
from service.store.runs import RunStore
from service.store.weeks import WeekStore
from tests.fakes.runs import API, request_for
from tests.fakes.weeks import FakeWeeks

SINCE, UNTIL = 100 * DAY_S, 107 * DAY_S
ASKED = [
    (SINCE - 1.0, "succeeded"),
    (SINCE, "succeeded"),
    (SINCE + 1.0, "succeeded"),
    (UNTIL - 1.0, "failed"),
    (UNTIL, "failed"),
]
ACTION = "horizontal_scale"


def reading(at: float) -> Reading:
    return Reading("dollars", "api", at, 4.0, 4.0, 4.0, 4.0, 1)


READ = [reading(at) for at in (SINCE - DAY_S, SINCE, UNTIL - DAY_S, UNTIL)]


@pytest.fixture(params=["fake", "sql"])
def weeks(request: pytest.FixtureRequest, engine: sa.Engine) -> Weeks:
    if request.param == "fake":
        return FakeWeeks([(at, ACTION, status) for at, status in ASKED], list(READ))
    runs = RunStore(engine, lambda _connection, _run: None)
    for number, (at, status) in enumerate(ASKED):
        asked = request_for(ACTION, API, id=f"api.out.{number}")
        with engine.begin() as connection:
            add_run(connection, NewRun(asked, "do-app:app-1", at))
        runs.begin(asked.id, at)
        runs.conclude(asked.id, Outcome(status, "", 0.0), at + 60.0)
    ReadingStore(engine).keep([reading(each.at + HOUR_S) for each in READ], [])
    return WeekStore(engine)


def test_runs_are_counted_by_action_and_status_within_the_time(weeks: Weeks) -> None:
    assert list(weeks.runs(SINCE, UNTIL)) == [
        RunCount(ACTION, "failed", 1),
        RunCount(ACTION, "succeeded", 2),
    ]


def test_readings_are_those_of_the_days_that_began_within_the_time(weeks: Weeks) -> None:
    assert [each.at for each in weeks.days(SINCE, UNTIL)] == [SINCE, UNTIL - DAY_S]
