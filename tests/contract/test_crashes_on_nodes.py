"""Changes of a cluster of one's own that die at any boundary of their steps, on both stores; and
their undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.catalogue.valkey_cluster.target import ClusterTarget
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.errors import FailureKind
from service.domain.people import BadRequest
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.nodes import FakeNodes, nearly_even, three_and_a_new_one
from tests.properties.installation import OLGA, Installation, opened

FULL = "Cache Cluster Is Full"
A, B, C, COPY, NEW = (f"10.0.0.{number}:6379" for number in range(1, 6))
STEPS = ("set_eviction_policy", "keep", "move_slots_1", "verify")
OPTIONS = {"eviction_policy": "volatile_lru", "shards": 4}


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def book(options: dict[str, Any]) -> RuleBook:
    rule = Rule(
        "full",
        (Matcher("alertname", MatchOp.EQUAL, FULL),),
        "scale_cache",
        target="cache-cluster",
        cooldown=timedelta(minutes=30),
        options=checked_options("scale_cache", options),
    )
    return RuleBook((rule,), {"cache-cluster": ClusterTarget("cache-cluster")}, "0123456789ab")


def asked(
    engine: sa.Engine,
    options: dict[str, Any],
    make: Callable[[FakeClock], FakeNodes] = nearly_even,
) -> tuple[Installation, FakeNodes]:
    """An alert has asked for it."""
    nodes = make(FakeClock())
    nodes.nodes[A].file = True
    now = Installation(engine, book(options), {"valkey_cluster": nodes})
    nodes.clock = now.clock
    now.deliver(delivery(alert(FULL), at=NOW))
    return now, nodes


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


def policies(nodes: FakeNodes) -> dict[str, str]:
    return {address: each.policy for address, each in nodes.nodes.items()}


def all_keys(nodes: FakeNodes) -> list[bytes]:
    primaries = [each for each in nodes.nodes.values() if not each.primary]
    return sorted(key for each in primaries for keys in each.keys.values() for key in keys)


def assert_at_rest(now: Installation) -> None:
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@both_ways
@pytest.mark.spread("done:set_eviction_policy", "done:move_slots_1", "recorded:move_slots_1")
@pytest.mark.parametrize("boundary", boundaries(*STEPS))
def test_a_change_of_the_nodes_that_dies_anywhere_sets_all_of_them_once_and_loses_no_key(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, nodes = asked(engine, OPTIONS)
    keys = all_keys(nodes)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"cache-cluster.up.1": "succeeded"}
    assert set(policies(nodes).values()) == {"volatile-lru"}
    sets = [each for each in nodes.writes.effective if each.startswith("maxmemory-policy")]
    assert sorted(sets) == sorted(f"maxmemory-policy {each}" for each in nodes.nodes)
    assert nodes.nodes[A].kept == (0, "volatile-lru")
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4
    assert all_keys(nodes) == keys
    assert_at_rest(now)


@pytest.mark.spread("done:join")
@pytest.mark.parametrize("boundary", boundaries("join"))
def test_a_node_that_joins_in_a_run_that_dies_meets_the_cluster_once(
    engine: sa.Engine, boundary: str
) -> None:
    now, nodes = asked(engine, {"shards": 4}, three_and_a_new_one)
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert statuses(now) == {"cache-cluster.out.1": "succeeded"}
    assert nodes.writes.effective.count(f"meet {NEW}") == 1
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4


def test_an_undo_puts_each_nodes_own_policy_back_and_leaves_the_shards(engine: sa.Engine) -> None:
    now, nodes = asked(engine, OPTIONS)
    nodes.nodes[B].policy = "volatile-ttl"
    before = policies(nodes)
    now.go_on()
    now.people.undo(OLGA, "cache-cluster.up.1", "it was a mistake")
    now.go_on()
    assert statuses(now) == {
        "cache-cluster.up.1": "succeeded",
        "cache-cluster.person.1": "succeeded",
    }
    assert policies(nodes) == before
    assert nodes.nodes[A].kept == (0, "noeviction")
    assert len(nodes.owned(NEW)) == 4096


def test_an_undo_leaves_the_node_that_a_person_has_set_since_and_puts_back_the_others(
    engine: sa.Engine,
) -> None:
    now, nodes = asked(engine, {"eviction_policy": "volatile_lru"})
    now.go_on()
    nodes.nodes[B].policy = "volatile-ttl"
    now.people.undo(OLGA, "cache-cluster.up.1", "it was a mistake")
    now.go_on()
    assert statuses(now)["cache-cluster.person.1"] == "succeeded"
    assert policies(nodes).pop(B) == "volatile-ttl"
    assert {each for at, each in policies(nodes).items() if at != B} == {"noeviction"}


def test_an_undo_is_held_where_a_person_has_set_every_node_since(engine: sa.Engine) -> None:
    now, nodes = asked(engine, {"eviction_policy": "volatile_lru"})
    now.go_on()
    for each in nodes.nodes.values():
        each.policy = "volatile-ttl"
    now.people.undo(OLGA, "cache-cluster.up.1", "it was a mistake")
    now.go_on()
    assert statuses(now)["cache-cluster.person.1"] == "held"
    assert set(policies(nodes).values()) == {"volatile-ttl"}


def test_keys_without_a_time_to_live_wait_for_a_persons_approval(engine: sa.Engine) -> None:
    now, nodes = asked(engine, {"eviction_policy": "allkeys_lru"})
    now.go_on()
    assert statuses(now) == {"cache-cluster.up.1": "waiting"}
    assert nodes.writes.sent == 0
    said = " ".join(f"{each.title} {each.text}" for each in now.messenger.messages.values())
    assert "keys have no time to live, and allkeys_lru may evict them too" in said


def test_a_node_that_refuses_in_the_middle_fails_the_run_pages_and_an_undo_puts_the_others_back(
    engine: sa.Engine,
) -> None:
    now, nodes = asked(engine, {"eviction_policy": "volatile_lru"})
    nodes.refused[B] = vendor_error(FailureKind.PERMANENT, "node 10.0.0.2 refused it: NOPERM.")
    now.go_on()
    assert statuses(now) == {"cache-cluster.up.1": "failed"}
    (page,) = now.pager.open.values()
    assert "NOPERM" in str(page)
    assert policies(nodes)[A] == "volatile-lru"
    nodes.refused = {}
    now.people.undo(OLGA, "cache-cluster.up.1", "back")
    now.go_on()
    assert set(policies(nodes).values()) == {"noeviction"}


def test_people_name_memory_shards_or_a_policy_and_nothing_of_a_managed_cluster(
    engine: sa.Engine,
) -> None:
    nodes = nearly_even(FakeClock())
    now = Installation(engine, book(OPTIONS), {"valkey_cluster": nodes})
    nodes.clock = now.clock
    refusals: tuple[tuple[dict[str, Any], str], ...] = (
        ({"maxmemory": "3 GB"}, "maxmemory must be a size such as 3gb or 512mb, or none"),
        ({"shards": 0}, "shards must be at least 1"),
        ({"eviction_policy": "lru"}, "'lru' is not known at cache-cluster: there is noeviction"),
        ({"size": "db-s-1vcpu-1gb"}, "is not on the ladder of cache-cluster"),
    )
    for to, refused in refusals:
        with pytest.raises(BadRequest, match=refused):
            now.people.run(OLGA, "scale_cache", "cache-cluster", to=to, why="x")
    wanted: dict[str, Any] = {"maxmemory": "3gb", "eviction_policy": "volatile_lfu"}
    now.people.run(OLGA, "scale_cache", "cache-cluster", to=wanted, why="the finals")
    now.go_on()
    assert statuses(now) == {"cache-cluster.person.1": "succeeded"}
    assert {each.maxmemory for each in nodes.nodes.values()} == {3 * 1024**3}
    assert set(policies(nodes).values()) == {"volatile-lfu"}
