"""One load in the fleet: whose turn it is, and what the other processes do meanwhile."""

from __future__ import annotations

import pytest

from service.caching import Key, Life, MemoryLayer
from service.caching.cache import LOAD_S, POLL_S
from tests.fakes.caching import MB, Locking, Source, World

HOUR = Life(fresh_s=3600)
KEY = Key.shared("question", 42)
STORED = "quiz:s:question:n42"


@pytest.fixture
def world() -> World:
    world = World()
    world.shared = Locking(MemoryLayer(MB, trust_s=1e12), world.clock)
    world.cache = world.process(shared=(world.shared,))
    return world


def lock_of(world: World) -> Locking:
    assert isinstance(world.shared, Locking)
    return world.shared


def test_a_process_whose_turn_comes_after_the_load_of_another_does_not_load(world: World) -> None:
    source, other = Source(), world.process()
    lock_of(world).first = lambda: world.cache.get(KEY, source, HOUR)
    assert other.get(KEY, source, HOUR) == "first"
    assert source.loads == 1
    assert other.counts().cache == {"loaded": 1, "elsewhere": 1}


def test_a_process_waits_for_the_value_that_another_loads(world: World) -> None:
    """The other process loads while this one has asked for the lock three times."""
    source, other = Source(), world.process()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.clock.pass_(seconds)
        if len(slept) == 3:
            lock_of(world).unlock(STORED, "theirs")
            other.get(KEY, source, HOUR)

    assert lock_of(world).lock(STORED, "theirs", 60)
    cache = world.process(shared=(world.shared,), sleep=sleep)
    assert cache.get(KEY, Source("not asked"), HOUR) == "first"
    assert slept == [POLL_S] * 3
    assert cache.counts().cache == {"loaded": 1, "elsewhere": 1}


def test_a_process_that_has_waited_long_enough_loads_by_itself(world: World) -> None:
    assert lock_of(world).lock(STORED, "theirs", 1000)
    began = world.clock()
    assert world.cache.get(KEY, Source(), HOUR) == "first"
    assert world.clock() - began == pytest.approx(LOAD_S, abs=2 * POLL_S)
    assert not lock_of(world).lock(STORED, "ours", 1), "it has not taken the lock of the other"


def test_a_load_that_fails_gives_the_turn_back(world: World) -> None:
    source = Source()
    source.error = OSError("the source is down")
    with pytest.raises(OSError, match="the source is down"):
        world.cache.get(KEY, source, HOUR)
    began = world.clock()
    assert world.process().get(KEY, Source(), HOUR) == "first"
    assert world.clock() == began


def test_a_lock_whose_layer_goes_down_while_a_process_waits_is_waited_for_no_longer(
    world: World,
) -> None:
    assert lock_of(world).lock(STORED, "theirs", 1000)
    began = world.clock()

    def sleep(seconds: float) -> None:
        world.clock.pass_(seconds)
        world.shared.down()

    cache = world.process(shared=(world.shared,), sleep=sleep)
    assert cache.get(KEY, Source(), HOUR) == "first"
    assert world.clock() - began == pytest.approx(POLL_S)
