"""Changes of a managed Valkey cluster that die at any boundary of their steps, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.catalogue.valkey.target import ValkeyTarget
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.people import BadRequest
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.clusters import CLUSTER, SIZES
from tests.properties.installation import OLGA, Installation, opened

FULL = "Cache Is Full"
STEPS = (
    "prepare",
    "announce",
    "set_policy",
    "resize",
    "await_online",
    "verify",
    "conclude",
    "report",
)


def book(**options: Any) -> RuleBook:
    rule = Rule(
        "full-cache",
        (Matcher("alertname", MatchOp.EQUAL, FULL),),
        "scale_cache",
        target="cache",
        cooldown=timedelta(minutes=30),
        options=checked_options("scale_cache", options),
    )
    return RuleBook((rule,), {"cache": ValkeyTarget("cache", CLUSTER, SIZES)}, "0123456789ab")


BOTH = book(size=SIZES[1], eviction_policy="volatile_lru")


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine, rules: RuleBook = BOTH, **state: Any) -> Installation:
    """One on which an alert has asked for the change."""
    now = Installation(engine, rules)
    for name, value in state.items():
        setattr(now.clusters, name, value)
    now.deliver(delivery(alert(FULL), at=NOW))
    return now


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@both_ways
@pytest.mark.spread("done:set_policy", "recorded:set_policy", "done:resize", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_change_of_a_cluster_that_dies_anywhere_is_made_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = asked(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"cache.up.1": "succeeded"}
    assert (now.clusters.size, now.clusters.policy) == (SIZES[1], "volatile_lru")
    assert now.clusters.writes.effective == ["set_policy", "resize"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


def test_an_undo_puts_size_and_policy_back(engine: sa.Engine) -> None:
    now = asked(engine)
    now.go_on()
    now.people.undo(OLGA, "cache.up.1", "it was too much")
    now.go_on()
    assert statuses(now) == {"cache.up.1": "succeeded", "cache.person.1": "succeeded"}
    assert (now.clusters.size, now.clusters.policy) == (SIZES[0], "noeviction")


def test_an_undo_leaves_what_a_person_has_set_since(engine: sa.Engine) -> None:
    now = asked(engine)
    now.go_on()
    now.clusters.put_policy("volatile_ttl")
    now.people.undo(OLGA, "cache.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["cache.person.1"] == "held"
    assert (now.clusters.size, now.clusters.policy) == (SIZES[1], "volatile_ttl")


def test_five_hundred_sessions_without_a_time_to_live_wait_for_a_persons_approval(
    engine: sa.Engine,
) -> None:
    now = asked(engine, book(eviction_policy="allkeys_lru"), keys=20_500, expiring=20_000)
    now.go_on()
    assert statuses(now) == {"cache.up.1": "waiting"}
    assert now.clusters.writes.sent == 0
    said = " ".join(f"{each.title} {each.text}" for each in now.messenger.messages.values())
    assert "500 of 20,500 keys have no time to live" in said


def test_runbookds_own_redis_is_held_and_nothing_is_written(engine: sa.Engine) -> None:
    now = asked(engine, own_ids=frozenset({"run-1"}))
    now.go_on()
    assert statuses(now) == {"cache.up.1": "held"}
    assert now.clusters.writes.sent == 0


def test_people_name_a_size_standbys_or_a_policy(engine: sa.Engine) -> None:
    now = Installation(engine, BOTH)
    refusals: tuple[tuple[dict[str, Any], str], ...] = (
        ({"standbys": 2}, "standbys must be at least 0 and at most 1, not 2"),
        ({"eviction_policy": "lru"}, "'lru' is not known at cache: there is noeviction"),
        ({"size": "db-s-99vcpu-9gb"}, "is not on the ladder of cache"),
    )
    for to, refused in refusals:
        with pytest.raises(BadRequest, match=refused):
            now.people.run(OLGA, "scale_cache", "cache", to=to, why="x")
    wanted: dict[str, Any] = {"size": SIZES[2], "standbys": 1}
    now.people.run(OLGA, "scale_cache", "cache", to=wanted, why="a big exam")
    now.go_on()
    assert (now.clusters.size, now.clusters.nodes) == (SIZES[2], 2)
