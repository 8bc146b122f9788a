"""Strategies and flushes of the application's cache that die at any boundary of their steps, on
both databases; their undo; and the strategy of a cache beside the cache rules of its zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.cache.removal import PIECE
from service.catalogue.cache.strategies import DEFAULTS, fields_of
from service.catalogue.cache.target import SETTINGS, CacheTarget
from service.catalogue.cloudflare_zone.rules import compiled, value_of
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.people import BadRequest, Conflict
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook, Target
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.fakes.zones import ZONE
from tests.properties.installation import OLGA, Installation, opened

SPIKE = "Viral Spike"
CACHE = CacheTarget("app-cache", prefixes=("cache:",), generation="quiz:generation", zone="cdn")
BY_HAND = {"ttl": "600"}
SESSIONS = {f"session:{number}": "me" for number in range(20)}
ENTRIES = {f"cache:{number}": "x" for number in range(PIECE + 10)}
BOOK = RuleBook(
    (
        Rule(
            "spike",
            (Matcher("alertname", MatchOp.EQUAL, SPIKE),),
            "set_cache_strategy",
            target="app-cache",
            cooldown=timedelta(minutes=10),
            options=checked_options("set_cache_strategy", {"strategy": "aggressive"}),
        ),
    ),
    {"app-cache": CACHE},
    "0123456789ab",
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(
    engine: sa.Engine, action: str, options: Mapping[str, Any]
) -> tuple[Installation, FakeCache]:
    """An alert has asked for it."""
    cache = FakeCache(FakeClock(), {SETTINGS: dict(BY_HAND), **ENTRIES, **SESSIONS})
    rule = replace(BOOK.rules[0], action=action, options=checked_options(action, options))
    now = Installation(engine, replace(BOOK, rules=(rule,)), {"cache": cache})
    cache.clock = now.clock
    now.deliver(delivery(alert(SPIKE), at=NOW))
    return now, cache


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


def assert_at_rest(now: Installation) -> None:
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


@both_ways
@pytest.mark.spread("done:set_strategy", "recorded:set_strategy")
@pytest.mark.parametrize("boundary", boundaries("set_strategy", "verify_strategy"))
def test_a_strategy_that_dies_anywhere_is_set_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, cache = asked(engine, "set_cache_strategy", {"strategy": "aggressive"})
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"app-cache.up.1": "succeeded"}
    assert cache.keys[SETTINGS] == fields_of("aggressive", DEFAULTS)
    assert cache.writes.effective == ["settings"]
    assert_at_rest(now)


@pytest.mark.spread("done:next_generation", "recorded:next_generation")
@pytest.mark.parametrize("boundary", boundaries("next_generation", "verify_generation"))
def test_a_flush_by_generation_that_dies_anywhere_raises_it_once(
    engine: sa.Engine, boundary: str
) -> None:
    now, cache = asked(engine, "flush_cache", {})
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert statuses(now) == {"app-cache.out.1": "succeeded"}
    assert cache.keys["quiz:generation"] == "1"
    assert cache.writes.effective == ["generation"]
    assert_at_rest(now)


@both_ways
@pytest.mark.spread("done:remove", "recorded:remove")
@pytest.mark.parametrize("boundary", boundaries("remove", "verify_removal"))
def test_a_flush_by_prefix_that_dies_anywhere_removes_all_and_keeps_the_sessions(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, cache = asked(engine, "flush_cache", {"prefixes": ["cache:"]})
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"app-cache.out.1": "succeeded"}
    assert cache.keys == {SETTINGS: BY_HAND, **SESSIONS}
    assert_at_rest(now)


@pytest.mark.parametrize("boundary", boundaries("set_strategy"))
def test_an_undo_that_dies_anywhere_puts_back_what_a_person_had_set(
    engine: sa.Engine, boundary: str
) -> None:
    now, cache = asked(engine, "set_cache_strategy", {"strategy": "aggressive"})
    now.go_on()
    now.people.undo(OLGA, "app-cache.up.1", "it was too much")
    first = now.begin()
    first.go_to(boundary)
    first.die()
    now.go_on()
    assert statuses(now) == {"app-cache.up.1": "succeeded", "app-cache.person.1": "succeeded"}
    assert cache.keys[SETTINGS] == BY_HAND
    assert cache.writes.effective == ["settings"] * 2


def test_an_undo_leaves_what_a_person_has_changed_since(engine: sa.Engine) -> None:
    now, cache = asked(engine, "set_cache_strategy", {"strategy": "aggressive"})
    now.go_on()
    cache.keys[SETTINGS] = {"ttl": "5"}
    now.people.undo(OLGA, "app-cache.up.1", "it was too much")
    now.go_on()
    assert statuses(now)["app-cache.person.1"] == "held"
    assert cache.keys[SETTINGS] == {"ttl": "5"}


def test_a_flush_is_never_undone_and_people_are_not_offered_it(engine: sa.Engine) -> None:
    now, cache = asked(engine, "flush_cache", {"prefixes": ["cache:"]})
    now.go_on()
    (message,) = now.messenger.messages.values()
    assert message.title.startswith("Done: app-cache: entries cache: (")
    assert message.text.startswith("Flushed because")
    assert "Undo it" not in [words for words, _ in message.fields]
    with pytest.raises(Conflict, match="cannot be undone: what was removed is loaded anew"):
        now.people.undo(OLGA, "app-cache.out.1", "a mistake")
    assert cache.keys == {SETTINGS: BY_HAND, **SESSIONS}


def test_a_person_asks_for_a_strategy_which_is_held_for_a_while_and_for_a_flush(
    engine: sa.Engine,
) -> None:
    cache = FakeCache(FakeClock(), {**ENTRIES, **SESSIONS})
    now = Installation(engine, BOOK, {"cache": cache})
    cache.clock = now.clock
    with pytest.raises(BadRequest, match="'turbo' is not known at app-cache: there is standard"):
        now.people.run(
            OLGA, "set_cache_strategy", "app-cache", to={"strategy": "turbo"}, why="a rush"
        )
    now.people.run(
        OLGA, "set_cache_strategy", "app-cache", to={"strategy": "maximum"}, why="a rush"
    )
    now.go_on()
    assert cache.keys[SETTINGS] == fields_of("maximum", DEFAULTS)
    assert [each.kind for each in now.controls.in_force()] == ["hold"]
    options = {"prefixes": ["session:"]}
    with pytest.raises(BadRequest, match="session: is not within what may be removed"):
        now.people.run(OLGA, "flush_cache", "app-cache", options=options, why="a rush")
    options = {"prefixes": ["cache:"]}
    now.people.run(OLGA, "flush_cache", "app-cache", options=options, why="wrong answers")
    now.go_on()
    assert set(statuses(now).values()) == {"succeeded"}
    assert cache.keys.keys() == {SETTINGS, *SESSIONS}


def test_one_alert_sets_the_strategy_and_the_cache_rules_of_its_name_by_two_rules(
    engine: sa.Engine,
) -> None:
    """The one action writes to one vendor; what belongs together is two rules."""
    sets = {
        name: [{"name": name, "path": "/admin/*", "host": "", "mode": "bypass"}]
        for name in ("standard", "aggressive")
    }
    ours = replace(BOOK.rules[0], continue_=True)
    zones = replace(
        ours,
        name="spike-cdn",
        action="set_cache_rules",
        target="cdn",
        options={"set": "aggressive"},
    )
    targets: dict[str, Target] = {"app-cache": CACHE, "cdn": ZoneTarget("cdn", ZONE, "", "", sets)}
    cache = FakeCache(FakeClock())
    now = Installation(
        engine, replace(BOOK, rules=(ours, zones), targets=targets), {"cache": cache}
    )
    cache.clock = now.clock
    now.zones.put(compiled("standard", sets["standard"]))
    now.deliver(delivery(alert(SPIKE), at=NOW))
    now.go_on()
    assert statuses(now) == {"app-cache.up.1": "succeeded", "cdn.up.1": "succeeded"}
    assert cache.keys[SETTINGS] == fields_of("aggressive", DEFAULTS)
    assert value_of(now.zones.rules) == "aggressive"
