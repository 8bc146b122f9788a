"""Weekly reports that die at any boundary of their steps, on both databases."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.costs.week import week_before
from service.domain.jobs.cron import read_cron
from service.domain.jobs.jobs import Job
from service.domain.people import Person, Role
from service.domain.readings.readings import HOUR_S, Reading
from service.domain.rules.rules import RuleBook
from service.store.readings import ReadingStore
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries, statuses
from tests.databases import Databases
from tests.properties.installation import Installation, opened
from tests.unit.engine.test_weekly import Figure

WEEKLY = Job(
    "weekly", read_cron("0 9 * * mon"), "weekly_report", None, checked_options("weekly_report", {})
)
BOOK = RuleBook((), {}, "0123456789ab", jobs={"weekly": WEEKLY})
OLGA = Person("olga", frozenset({Role.OPERATOR}))


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


@both_ways
@pytest.mark.spread("done:tell", "recorded:tell", "done:picture")
@pytest.mark.parametrize("boundary", boundaries("count", "tell", "picture", "conclude"))
def test_a_weekly_report_that_dies_anywhere_is_one_message_with_one_picture(
    engine: sa.Engine, boundary: str, taken_up: TakenUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("matplotlib.figure")
    module.Figure = Figure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)
    now = Installation(engine, BOOK)
    since, _ = week_before(now.parts.clock.time())
    measured = Reading("dollars", "api", since + HOUR_S, 62.0, 62.0, 62.0, 62.0, 1)
    ReadingStore(engine).keep([measured], [])
    now.people.run_job(OLGA, "weekly", "how was it")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    (message,) = now.messenger.messages.values()
    assert "No picture" not in message.text
    assert len(now.messenger.pictures) == 1
    assert list(statuses(now).values()) == ["succeeded"]
