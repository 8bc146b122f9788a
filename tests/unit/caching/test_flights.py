"""One load at a time in a process, with real threads that wait for each other by events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from service.caching import Key, LayeredCache, Life, LoadOverdue, MemoryLayer
from service.caching.flights import Flights
from tests.fakes.caching import MB, World
from tests.processes import wait_until

HOUR = Life(fresh_s=3600)
KEY = Key.shared("question", 42)
BOUND_S = 30.0
"""How long the tests wait for what comes at once."""


class Gate:
    """A load that says when it has begun, and ends when it may."""

    def __init__(self, result: object) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self._result = result

    def __call__(self) -> Any:
        self.begun.set()
        assert self.may_end.wait(BOUND_S)
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result


def alone() -> LayeredCache:
    return LayeredCache("quiz", memory=MemoryLayer(MB), load_s=BOUND_S)


def waiting(flights: Flights[Any], key: str) -> Callable[[], bool]:
    """Whether another thread waits for the flight of `key`."""

    def look() -> bool:
        flight = flights._flights.get(key)
        return flight is not None and bool(flight.ended._cond._waiters)  # type: ignore[attr-defined]

    return look


def test_fifty_threads_get_a_cold_key_by_one_load() -> None:
    cache, gate, loads = alone(), Gate("value"), []
    arrived = threading.Barrier(50)

    def load() -> Any:
        loads.append(1)
        return gate()

    def ask() -> Any:
        arrived.wait(BOUND_S)
        return cache.get(KEY, load, HOUR)

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(ask) for _ in range(50)]
        assert gate.begun.wait(BOUND_S)
        gate.may_end.set()
        assert {each.result(BOUND_S) for each in asked} == {"value"}
    assert len(loads) == 1


def test_those_who_wait_get_the_error_of_the_load() -> None:
    cache, gate = alone(), Gate(OSError("the database is away"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, KEY, gate, HOUR)
        assert gate.begun.wait(BOUND_S)
        second = pool.submit(cache.get, KEY, gate, HOUR)
        assert wait_until(waiting(cache._flights, "quiz:s:question:n42"), BOUND_S)
        gate.may_end.set()
        for each in (first, second):
            with pytest.raises(OSError, match="the database is away"):
                each.result(BOUND_S)


@pytest.mark.parametrize("how", ["delete", "invalidate"])
def test_who_asks_after_an_invalidation_does_not_get_a_value_from_before(how: str) -> None:
    cache, gate = alone(), Gate("old")
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(cache.get, KEY, gate, HOUR, ("questions",))
        assert gate.begun.wait(BOUND_S)
        _ = cache.delete(KEY) if how == "delete" else cache.invalidate("questions")
        assert cache.get(KEY, lambda: "new", HOUR, ("questions",)) == "new"
        gate.may_end.set()
        assert early.result(BOUND_S) == "old"
    assert cache.get(KEY, lambda: "newer", HOUR, ("questions",)) == "new"


def test_a_load_that_hangs_is_taken_over_by_one_of_those_who_wait() -> None:
    flights: Flights[str] = Flights(wait_s=0.05)
    hangs = Gate("late")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flights.load_or_wait, "key", (), hangs)
        assert hangs.begun.wait(BOUND_S)
        assert flights.load_or_wait("key", (), lambda: "loaded") == ("loaded", False)
        hangs.may_end.set()
        assert first.result(BOUND_S) == ("late", False)


def test_a_source_that_hangs_gets_one_load_at_a_time_and_the_others_are_told() -> None:
    flights: Flights[str] = Flights(wait_s=0.5)
    together = threading.Barrier(8)
    gates = [Gate("late") for _ in range(8)]
    begun: list[Gate] = []

    def load() -> str:
        gate = gates[len(begun)]
        begun.append(gate)
        return str(gate())

    def ask() -> Any:
        together.wait(BOUND_S)
        return flights.load_or_wait("key", (), load)

    with ThreadPoolExecutor(8) as pool:
        asked: list[Future[Any]] = [pool.submit(ask) for _ in range(8)]
        assert wait_until(lambda: sum(each.done() for each in asked) >= 4, BOUND_S)
        told = [each for each in asked if each.done()]
        for each in told:
            with pytest.raises(LoadOverdue, match=r"not been loaded within 1 s"):
                each.result()
        for gate in gates:
            gate.may_end.set()
    assert len(begun) <= 4


def test_a_thread_that_is_ended_while_it_loads_ends_nobody_else() -> None:
    cache, gate = alone(), Gate(SystemExit(1))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, KEY, gate, HOUR)
        assert gate.begun.wait(BOUND_S)
        second = pool.submit(cache.get, KEY, lambda: "loaded", HOUR)
        assert wait_until(waiting(cache._flights, "quiz:s:question:n42"), BOUND_S)
        gate.may_end.set()
        assert second.result(BOUND_S) == "loaded"
        with pytest.raises(SystemExit):
            first.result(BOUND_S)


def test_a_refresh_that_gets_no_thread_is_skipped_and_tried_again() -> None:
    world = World()

    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    cache = world.process(spawn=no_thread)
    life = Life(fresh_s=10, stale_s=1000)
    cache.get(KEY, lambda: "old", life)
    world.clock.pass_(11)
    for _ in range(10):
        assert cache.get(KEY, lambda: "new", life) == "old"
    assert cache.counts().cache["refresh_skipped"] == 10
    cache._spawn = world.jobs
    cache.get(KEY, lambda: "new", life)
    world.jobs.run()
    assert cache.get(KEY, lambda: "new", life) == "new"
