"""Cost reports that die at any boundary of their steps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.decisions.budget import Budget
from service.domain.decisions.policy import Policy
from service.domain.jobs.cron import read_cron
from service.domain.jobs.jobs import Job
from service.domain.people import Person, Role
from service.domain.rules.rules import RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries, statuses
from tests.databases import Databases
from tests.fakes.costs import FakeBills
from tests.properties.installation import Installation, opened

MONITOR = Job(
    "cost-monitor", read_cron("0 9 * * *"), "cost_report", None, checked_options("cost_report", {})
)
BOOK = RuleBook(
    (), {}, "0123456789ab", policy=Policy(budget=Budget(200.0)), jobs={"cost-monitor": MONITOR}
)
OLGA = Person("olga", frozenset({Role.OPERATOR}))


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


@both_ways
@pytest.mark.spread("done:take", "done:page", "done:tell", "recorded:tell")
@pytest.mark.parametrize("boundary", boundaries("count", "take", "page", "tell", "conclude"))
def test_a_report_over_the_budget_that_dies_anywhere_tells_once_and_pages_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, BOOK)
    bills = FakeBills(Decimal(260))
    now.parts = replace(now.parts, bills=(bills,))
    now.people.run_job(OLGA, "cost-monitor", "the bill of the month")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    (message,) = now.messenger.messages.values()
    assert "120 % or more of the budget of $200.00" in message.title
    assert list(statuses(now).values()) == ["succeeded"]
    assert len(now.parts.pager.open) == 1  # type: ignore[attr-defined]
    told = now.rows("SELECT percent, run FROM budget_notices ORDER BY percent")
    assert [tuple(row) for row in told] == [
        (percent, "cost-monitor.job.1") for percent in (80, 100, 120)
    ]
    now.people.run_job(OLGA, "cost-monitor", "once more")
    now.drain()
    assert len(now.messenger.messages) == 1, "a threshold is told once a month"
