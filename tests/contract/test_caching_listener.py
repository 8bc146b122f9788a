"""A process hears what another has invalidated, long before it no longer trusts its copy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.caching import Key, LayeredCache, Life, MemoryLayer
from service.caching.listener import Listener
from service.caching.redis_layer import redis_layer
from tests.fakes.caching import MB, Source
from tests.processes import wait_until
from tests.redis_servers import VERSIONS, RedisServer, executable

HOUR = Life(fresh_s=3600)
KEY, TAGS = Key.shared("question", 42), ("questions",)
BOUND_S = 60.0
TRUST_S = 1e9
"""Without the listener the other process would serve its copy for thirty years."""


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    running = RedisServer(executable(request.param), Path(tempfile.mkdtemp()))
    running.start()
    yield running
    running.stop()


def process(server: RedisServer) -> LayeredCache:
    memory = MemoryLayer(MB, trust_s=TRUST_S)
    return LayeredCache("quiz", memory=memory, shared=(redis_layer(server.url, timeout_s=BOUND_S),))


@pytest.fixture
def here(server: RedisServer) -> LayeredCache:
    return process(server)


@pytest.fixture
def there(server: RedisServer) -> Iterator[LayeredCache]:
    """Another process, which listens."""
    cache = process(server)
    listener = Listener(cache, server.url)
    listener.start()
    assert wait_until(lambda: listener.hears, BOUND_S)
    yield cache
    listener.close()


def filled(*caches: LayeredCache) -> None:
    for each in caches:
        assert each.get(KEY, Source(), HOUR, TAGS) == "first"


@pytest.mark.parametrize("how", ["delete", "invalidate", "clear"])
def test_an_invalidation_is_heard(here: LayeredCache, there: LayeredCache, how: str) -> None:
    filled(here, there)
    done = {
        "delete": lambda: here.delete(KEY),
        "invalidate": lambda: here.invalidate("questions"),
        "clear": here.clear,
    }[how]()
    assert done.complete
    assert wait_until(lambda: there.peek(KEY, TAGS) is None, BOUND_S)


def test_other_entries_stay(here: LayeredCache, there: LayeredCache) -> None:
    filled(here, there)
    there.put(Key.shared("other"), "kept", HOUR)
    here.invalidate("questions")
    assert wait_until(lambda: there.peek(KEY, TAGS) is None, BOUND_S)
    assert there.get(Key.shared("other"), Source("lost"), HOUR) == "kept"


def test_after_redis_was_away_invalidations_are_heard_again(
    server: RedisServer, here: LayeredCache, there: LayeredCache
) -> None:
    server.process.kill()
    server.start()
    assert wait_until(lambda: _subscribers(server) == 1, BOUND_S)

    def told() -> bool:
        """The circuit of `here` may rest first."""
        filled_again = here.put(KEY, "first", HOUR, TAGS).complete
        there.get(KEY, Source(), HOUR, TAGS)
        return filled_again and here.invalidate("questions").complete

    assert wait_until(told, BOUND_S)
    assert wait_until(lambda: there.peek(KEY, TAGS) is None, BOUND_S)


def test_a_redis_that_forbids_to_tell_still_takes_the_invalidation(
    server: RedisServer, here: LayeredCache
) -> None:
    filled(here)
    server.client.acl_setuser("default", enabled=True, nopass=True, commands=["-publish"])
    assert here.invalidate("questions").complete
    assert here.peek(KEY, TAGS) is None
    assert here.delete(KEY).complete


def test_a_listener_without_redis_ends_when_it_is_closed() -> None:
    cache = LayeredCache("quiz", memory=MemoryLayer(MB))
    listener = Listener(cache, "redis://127.0.0.1:1/0")
    listener.start()
    listener.close()
    assert not listener.hears


def _subscribers(server: RedisServer) -> int:
    ((_, number),) = server.client.pubsub_numsub("quiz:invalidated")
    return int(number)
