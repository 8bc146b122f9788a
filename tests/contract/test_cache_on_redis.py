"""The actions on the application's cache, on real servers: what goes, and what stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.caching import Key, LayeredCache, Life, MemoryLayer
from service.caching.redis_layer import redis_layer
from service.catalogue.cache.strategies import DEFAULTS, FIELDS, fields_of
from service.catalogue.cache.target import SETTINGS, CacheTarget
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports import Clock
from service.providers.redis_cache import RedisCache
from tests.fakes.clock import FakeClock
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.redis_servers import ONE_IN_CI, RedisServer, executable

ENTRIES, SESSIONS = 20_000, 500
CACHE = CacheTarget("app-cache", prefixes=("cache:", "quizmentor:"), generation="quiz:generation")


@pytest.fixture(scope="module", params=ONE_IN_CI)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    running = RedisServer(executable(request.param), Path(tempfile.mkdtemp()))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def cache(server: RedisServer) -> Iterator[RedisCache]:
    """An empty one, of which nothing is evicted."""
    server.client.flushall()
    server.client.config_set("maxmemory", 0)
    with closing(RedisCache(url=server.url)) as made:
        yield made


def on(cache: RedisCache, clock: Clock) -> Works:
    return works_on(clock, cache=cache)


def run_of(cache: RedisCache, request: Request) -> FakeRun:
    clock = FakeClock()
    return planned(on(cache, clock), request, clock)


def fill(server: RedisServer, entries: int, size: int = 10) -> None:
    """Sessions and settings without an end, then entries that end in an hour."""
    pipeline = server.client.pipeline(transaction=False)
    for number in range(SESSIONS):
        pipeline.set(f"session:{number}", "me")
    pipeline.execute()
    # A few at a time: what Redis has read and not yet done counts towards its memory.
    for first in range(0, entries, 500):
        for number in range(first, first + 500):
            pipeline.set(f"cache:{number}", "x" * size, ex=3600)
        pipeline.execute()


def sessions(server: RedisServer) -> int:
    return sum(1 for _ in server.client.scan_iter("session:*", count=1_000))


def test_a_flush_by_prefix_takes_all_entries_and_none_of_500_sessions(
    server: RedisServer, cache: RedisCache
) -> None:
    fill(server, ENTRIES)
    run = run_of(cache, request_for("flush_cache", CACHE, options={"prefixes": ["cache:"]}))
    records = run.execute()
    assert records["remove"]["removed"] == ENTRIES
    assert records["remove"]["pieces"] >= ENTRIES / 500 / 2
    assert (server.client.dbsize(), sessions(server)) == (SESSIONS, SESSIONS)


def test_an_interrupted_flush_goes_on_with_the_rest(server: RedisServer, cache: RedisCache) -> None:
    fill(server, 5_000)
    request = request_for("flush_cache", CACHE, options={"prefixes": ["cache:"]})
    run = run_of(cache, request)
    run.context = run.fresh()

    def fenced() -> None:
        run.context.fenced_out = run.context.fences > 3

    run.context.on_fence = fenced
    with pytest.raises(Exception, match="was replaced by"):
        run.step("remove")
    assert SESSIONS < server.client.dbsize() < SESSIONS + 5_000
    run.execute()
    assert (server.client.dbsize(), sessions(server)) == (SESSIONS, SESSIONS)


def test_a_plan_tells_about_how_much_goes(server: RedisServer, cache: RedisCache) -> None:
    fill(server, ENTRIES)
    clock = FakeClock()
    request = request_for("flush_cache", CACHE, options={"prefixes": ["cache:"]})
    plan = on(cache, clock).plan(request)
    assert isinstance(plan, Plan)
    told = plan.before.removeprefix("cache: (about ").split(" of 20,500 keys)")[0]
    assert 19_000 <= int(told.replace(",", "")) <= 20_500


def test_a_strategy_is_set_and_undone_and_what_a_person_had_set_is_back(
    server: RedisServer, cache: RedisCache
) -> None:
    server.client.hset(SETTINGS, mapping={"ttl": "600", "owner": "olga"})
    request = request_for("set_cache_strategy", CACHE, options={"strategy": "maximum"})
    run = run_of(cache, request)
    run.execute()
    assert cache.settings(SETTINGS, FIELDS) == fields_of("maximum", DEFAULTS)
    (wanted,) = request.wanted
    undo = request_for(
        "set_cache_strategy", CACHE, wanted=(type(wanted)("strategy", to=run.plan.before),)
    )
    run_of(cache, undo).execute()
    assert server.client.hgetall(SETTINGS) == {b"ttl": b"600", b"owner": b"olga"}


@pytest.mark.parametrize(("policy", "kept"), [("volatile-lru", True), ("allkeys-lru", False)])
def test_the_policy_that_a_plan_warns_of_is_the_one_that_loses_sessions(
    server: RedisServer, cache: RedisCache, policy: str, kept: bool
) -> None:
    """The figures of docs/kinds/cache.md: 3 MB, and 20,000 entries."""
    server.client.config_set("maxmemory-policy", policy)
    run = run_of(
        cache, request_for("set_cache_strategy", CACHE, options={"strategy": "aggressive"})
    )
    run.execute()
    server.client.config_set("maxmemory", "3mb")
    fill(server, ENTRIES, size=200)
    assert (sessions(server) == SESSIONS) == kept
    assert ("evicts any key" in run.plan.downtime) == (not kept)
    if kept:
        assert cache.settings(SETTINGS, FIELDS)["strategy"] == "aggressive"


def test_a_flush_of_its_namespace_makes_every_entry_of_our_own_cache_absent(
    server: RedisServer, cache: RedisCache
) -> None:
    loads: list[int] = []

    def ask_in_a_new_process() -> int:
        layers = (redis_layer(server.url, timeout_s=10.0),)
        layered = LayeredCache("quizmentor", memory=MemoryLayer(1_000_000), shared=layers)
        return int(layered.get(Key.shared("question", 42), load, Life(fresh_s=600)))

    def load() -> int:
        loads.append(1)
        return len(loads)

    assert [ask_in_a_new_process() for _ in range(3)] == [1, 1, 1]
    request = request_for("flush_cache", CACHE, options={"prefixes": ["quizmentor:"]})
    run_of(cache, request).execute()
    assert [ask_in_a_new_process() for _ in range(3)] == [2, 2, 2]
