"""Runs that tell all teams and die at any boundary of their steps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries, statuses
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.properties.installation import Installation, opened

DOWN = "Everything Is Down"
OPTIONS = checked_options(
    "tell", {"channels": ["#ops", "#web"], "text": "{alert} fires.", "page": "critical"}
)
BOOK = RuleBook(
    (
        Rule(
            "emergency",
            (Matcher("alertname", MatchOp.EQUAL, DOWN),),
            "tell",
            cooldown=timedelta(minutes=10),
            options=OPTIONS,
        ),
    ),
    {},
    "0123456789ab",
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


@both_ways
@pytest.mark.spread("done:page", "done:tell_1", "recorded:tell_1", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries("page", "tell_1", "tell_2", "conclude"))
def test_a_run_that_tells_and_dies_anywhere_tells_each_channel_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, BOOK)
    now.deliver(delivery(alert(DOWN), at=NOW))
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    told = [thread.channel for thread in now.messenger.threads.values() if thread]
    assert told == ["#ops", "#web"]
    assert list(statuses(now).values()) == ["succeeded"]
    assert len(now.parts.pager.open) == 1  # type: ignore[attr-defined]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
