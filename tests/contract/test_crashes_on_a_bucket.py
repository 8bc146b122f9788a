"""Puts of an object that die at any boundary of their steps, on both databases, and their undo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.ports.bucket import Contents
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.buckets import FakeBuckets
from tests.fakes.clock import FakeClock
from tests.properties.installation import OLGA, Installation, opened
from tests.unit.catalogue.test_bucket import BY_HAND, FRONTEND, KEY, STATIC

OVERLOADED = "Frontend Overloaded"
BOOK = RuleBook(
    (
        Rule(
            "static-mode",
            (Matcher("alertname", MatchOp.EQUAL, OVERLOADED),),
            "put_object",
            target="frontend",
            cooldown=timedelta(minutes=10),
            options=checked_options("put_object", {"object": "config", "body": "static"}),
        ),
    ),
    {"frontend": FRONTEND},
    "0123456789ab",
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine, *, versioned: bool = False) -> tuple[Installation, FakeBuckets]:
    """An alert has asked for static mode; a person has put what is there."""
    buckets = FakeBuckets(FakeClock(), versioned=versioned)
    buckets.store(KEY, BY_HAND, public=True)
    now = Installation(engine, BOOK, {"bucket": buckets})
    buckets.clock = now.clock
    now.deliver(delivery(alert(OVERLOADED), at=NOW))
    return now, buckets


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@both_ways
@pytest.mark.parametrize("boundary", boundaries("keep", "put", "verify"))
def test_a_put_that_dies_anywhere_is_made_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, buckets = asked(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"frontend.up.1": "succeeded"}
    assert buckets.body(KEY) == STATIC
    assert buckets.writes.effective == ["put"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@pytest.mark.parametrize("versioned", [False, True], ids=["kept", "versioned"])
@pytest.mark.parametrize("boundary", boundaries("keep", "put"))
def test_an_undo_that_dies_anywhere_puts_back_what_a_person_had_put(
    engine: sa.Engine, boundary: str, versioned: bool
) -> None:
    now, buckets = asked(engine, versioned=versioned)
    now.go_on()
    now.people.undo(OLGA, "frontend.up.1", "it is over")
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert statuses(now) == {"frontend.up.1": "succeeded", "frontend.person.1": "succeeded"}
    assert buckets.objects[KEY].contents == BY_HAND
    assert buckets.writes.effective == ["put"] * 2


def test_an_undo_leaves_what_a_person_has_put_since(engine: sa.Engine) -> None:
    now, buckets = asked(engine)
    now.go_on()
    buckets.store(KEY, Contents(b"newer"))
    now.people.undo(OLGA, "frontend.up.1", "it is over")
    now.go_on()
    assert statuses(now)["frontend.person.1"] == "held"
    assert buckets.body(KEY) == "newer"
