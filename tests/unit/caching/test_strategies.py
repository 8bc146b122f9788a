"""The application reads how to cache from the hash that runbookd sets, and goes on without it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import redis

from service.caching import Life
from service.caching.entry import LONGEST_LIFE_S
from service.caching.strategies import LOOK_S, SETTINGS, STANDARD, Strategies, Strategy
from service.catalogue.cache.strategies import DEFAULTS, NAMES, fields_of
from service.catalogue.cache.target import SETTINGS as SET_BY_RUNBOOKD
from tests.redis_servers import RedisServer, executable


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    running = RedisServer(executable(), Path(tempfile.mkdtemp()))
    running.start()
    yield running
    running.stop()


class Moment:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("name", NAMES)
def test_each_strategy_that_runbookd_sets_is_read_as_it_was_meant(
    server: RedisServer, name: str
) -> None:
    server.client.delete(SETTINGS)
    fields: Any = fields_of(name, DEFAULTS)
    server.client.hset(SET_BY_RUNBOOKD, mapping=fields)
    found = Strategies(server.client).now()
    assert astuple(found) == (name, float(DEFAULTS[name][0]), DEFAULTS[name][1])


def test_what_holds_without_a_hash_is_runbookds_standard(server: RedisServer) -> None:
    server.client.delete(SETTINGS)
    assert Strategies(server.client).now() is STANDARD
    assert (STANDARD.ttl_s, STANDARD.everything) == DEFAULTS[STANDARD.name]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"ttl": "600"}, ("", 600.0, False)),
        ({"ttl": "-5", "everything": "true"}, ("", 300.0, True)),
        ({"ttl": "0", "everything": "maybe"}, ("", 300.0, False)),
        ({"ttl": "²", "strategy": "x"}, ("x", 300.0, False)),
        ({"ttl": "9" * 5000}, ("", 300.0, False)),
        ({"ttl": "604801"}, ("", 300.0, False)),
        ({"ttl": "604800"}, ("", LONGEST_LIFE_S, False)),
    ],
)
def test_what_makes_no_sense_in_the_hash_is_as_if_it_were_not_there(
    server: RedisServer, said: Any, found: tuple[str, float, bool]
) -> None:
    server.client.delete(SETTINGS)
    server.client.hset(SETTINGS, mapping=said)
    assert astuple(Strategies(server.client).now()) == found


def test_it_looks_every_few_seconds_and_what_was_set_or_removed_holds_from_then_on(
    server: RedisServer,
) -> None:
    server.client.delete(SETTINGS)
    clock = Moment()
    strategies = Strategies(server.client, clock=clock)
    assert strategies.now().ttl_s == 300.0
    server.client.hset(SETTINGS, "ttl", "3600")
    clock.now += LOOK_S - 0.1
    assert strategies.now().ttl_s == 300.0
    clock.now += 0.1
    assert strategies.now().ttl_s == 3600.0
    server.client.delete(SETTINGS)
    clock.now += LOOK_S
    assert strategies.now() is STANDARD


def test_what_was_read_last_goes_on_to_hold_while_redis_is_away() -> None:
    clock = Moment()
    running = RedisServer(executable(), Path(tempfile.mkdtemp()))
    running.start()
    running.client.hset(SETTINGS, "ttl", "3600")
    client = redis.Redis.from_url(running.url, socket_timeout=5.0)
    strategies = Strategies(client, clock=clock)
    assert strategies.now().ttl_s == 3600.0
    running.stop()
    clock.now += LOOK_S
    assert strategies.now().ttl_s == 3600.0


def test_a_life_is_never_longer_than_an_entry_may_live() -> None:
    week = Strategy("", LONGEST_LIFE_S - 10, everything=False)
    assert week.life(stale_s=600.0, error_s=600.0) == Life(LONGEST_LIFE_S - 10, 10.0, 0.0)
    assert STANDARD.life(stale_s=60.0, error_s=3600.0) == Life(300.0, 60.0, 3600.0)
