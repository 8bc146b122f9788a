"""Changes of a project's pooler that die at any boundary of their steps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.properties.installation import OLGA, Installation, opened

WAITING = "Clients Wait For A Connection"
PROJECT = SupabaseTarget(
    "database",
    "project-1",
    ("ci_micro", "ci_small"),
    pooler={"min": 5, "max": 40, "pools": 1, "reserved": 7},
)
BOOK = RuleBook(
    (
        Rule(
            "waiting-clients",
            (Matcher("alertname", MatchOp.EQUAL, WAITING),),
            "set_pooler",
            target="database",
            cooldown=timedelta(minutes=10),
            options=checked_options("set_pooler", {"pool_size": 30}),
        ),
    ),
    {"database": PROJECT},
    "0123456789ab",
)
POOLING = ("prepare", "announce", "set_pool_size", "verify_pool_size", "conclude", "report")


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine, book: RuleBook = BOOK) -> Installation:
    """One on which an alert has asked for a larger pool."""
    now = Installation(engine, book)
    now.deliver(delivery(alert(WAITING), at=NOW))
    return now


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@both_ways
@pytest.mark.parametrize("boundary", boundaries(*POOLING))
def test_a_pool_size_whose_run_dies_anywhere_is_set_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = asked(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"database.up.1": "succeeded"}
    assert now.database.pool == 30
    assert now.database.writes.effective == ["set_pool_size"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_an_undo_puts_the_former_pool_size_back(engine: sa.Engine) -> None:
    now = asked(engine)
    now.go_on()
    now.people.undo(OLGA, "database.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["database.person.1"] == "succeeded"
    assert now.database.pool == 15


def test_an_undo_leaves_a_pool_size_that_a_person_has_set_since(engine: sa.Engine) -> None:
    now = asked(engine)
    now.go_on()
    now.database.pool = 35
    now.people.undo(OLGA, "database.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["database.person.1"] == "held"
    assert now.database.pool == 35


def test_a_pool_that_was_the_vendors_choice_is_given_back_by_an_undo(engine: sa.Engine) -> None:
    now = Installation(engine, BOOK)
    now.database.pool = None
    now.deliver(delivery(alert(WAITING), at=NOW))
    now.go_on()
    now.people.undo(OLGA, "database.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["database.person.1"] == "succeeded"
    assert now.database.pool is None
    assert now.database.writes.effective == ["set_pool_size"] * 2


def test_a_person_names_a_size_and_is_held_where_the_database_has_no_room(
    engine: sa.Engine,
) -> None:
    room = replace(PROJECT, pooler={**PROJECT.pooler, "max": 100})
    now = Installation(engine, replace(BOOK, targets={"database": room}))
    now.people.run(OLGA, "set_pooler", "database", to={"pool_size": 60}, why="a rush")
    now.go_on()
    assert statuses(now) == {"database.person.1": "held"}
    now.people.run(OLGA, "set_pooler", "database", to={"pool_size": 38}, why="a rush")
    now.go_on()
    assert now.database.pool == 38
