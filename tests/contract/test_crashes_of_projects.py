"""Changes of a project's pooler and replicas that die at any boundary of their steps, on both
databases."""

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
@pytest.mark.spread("done:set_pool_size", "recorded:set_pool_size", "done:conclude")
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


# ---- Replicas ----

SLOW = "Database Reads Are Slow"
COPIED = SupabaseTarget(
    "database",
    "project-1",
    ("ci_micro", "ci_small"),
    replicas={
        "max": 2,
        "regions": ["us-east-1", "eu-west-1"],
        "max_lag_s": 10.0,
        "readers": ["postgres"],
    },
)
FIRST, SECOND = "project-1-rr-us-east-1-1", "project-1-rr-eu-west-1-2"
SETTING_UP = ("setup_1", "setup_2", "await_replicas", "verify_replicas")
REMOVING = ("remove_1", "verify_removed")
"""The steps of these plans. The boundaries of the others are tried with the pool size."""


def copies(engine: sa.Engine, **options: object) -> Installation:
    """One on which an alert has asked for two replicas of a project that may have them."""
    rule = replace(
        BOOK.rules[0],
        matchers=(Matcher("alertname", MatchOp.EQUAL, SLOW),),
        action="set_replicas",
        options=checked_options("set_replicas", {"replicas": 2, **options}),
    )
    now = Installation(engine, RuleBook((rule,), {"database": COPIED}, BOOK.hash))
    now.database.variant = "ci_small"
    return now


@both_ways
@pytest.mark.spread("done:setup_1", "recorded:setup_1", "done:setup_2")
@pytest.mark.parametrize("boundary", boundaries(*SETTING_UP))
def test_replicas_whose_run_dies_anywhere_are_each_set_up_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = copies(engine)
    now.deliver(delivery(alert(SLOW), at=NOW))
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"database.out.1": "succeeded"}
    assert list(now.database.copies) == [FIRST, SECOND]
    assert now.database.writes.effective == ["setup_replica"] * 2
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@both_ways
@pytest.mark.parametrize("boundary", boundaries(*REMOVING))
def test_a_removal_that_a_person_asks_for_and_that_dies_anywhere_takes_one_replica(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = copies(engine)
    for region in ("us-east-1", "eu-west-1"):
        now.database.add_copy(region, ready=True)
    now.people.run(OLGA, "set_replicas", "database", to={"replicas": 1}, why="too dear")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"database.person.1": "succeeded"}
    assert list(now.database.copies) == [FIRST]
    assert now.database.writes.effective == ["remove_replica"]


def test_an_undo_restores_the_former_count_newest_first(engine: sa.Engine) -> None:
    now = copies(engine)
    now.database.add_copy("us-east-1", ready=True)
    now.deliver(delivery(alert(SLOW), at=NOW))
    now.go_on()
    assert list(now.database.copies) == [FIRST, SECOND]
    now.people.undo(OLGA, "database.out.1", "too dear")
    now.go_on()
    assert statuses(now)["database.person.1"] == "succeeded"
    assert list(now.database.copies) == [FIRST]


def test_an_undo_is_held_while_the_application_reads_from_what_would_go(
    engine: sa.Engine,
) -> None:
    now = copies(engine)
    now.deliver(delivery(alert(SLOW), at=NOW))
    now.go_on()
    now.database.copies[SECOND].readers = 3
    now.people.undo(OLGA, "database.out.1", "too dear")
    now.go_on()
    assert statuses(now)["database.person.1"] == "held"
    assert list(now.database.copies) == [FIRST, SECOND]


def test_a_replica_that_does_not_follow_fails_the_run_with_a_page_and_is_left(
    engine: sa.Engine,
) -> None:
    now = copies(engine)
    now.deliver(delivery(alert(SLOW), at=NOW))
    first = now.begin()
    first.go_to("recorded:await_replicas")
    behind = replace(now.database.copies[SECOND].sight, behind_bytes=112)
    now.database.copies[SECOND].sight = behind
    while not first.over:
        first.go(1)
    now.go_on()
    assert statuses(now) == {"database.out.1": "failed"}
    (page,) = now.pager.open.values()
    assert "112 bytes behind for 10 s" in f"{page.summary} {page.details}"
    assert list(now.database.copies) == [FIRST, SECOND]


def test_three_replicas_below_xl_are_held_with_the_limit(engine: sa.Engine) -> None:
    now = copies(engine)
    five = replace(COPIED, replicas={**COPIED.replicas, "max": 5})
    now = Installation(engine, replace(now.book, targets={"database": five}))
    now.database.variant = "ci_small"
    now.people.run(OLGA, "set_replicas", "database", to={"replicas": 3}, why="a rush")
    now.go_on()
    assert statuses(now) == {"database.person.1": "held"}
    (message,) = now.messenger.messages.values()
    assert "ci_small takes at most 2: 2 below XL and 5 from XL" in message.text
