"""The cache in a storm: one load in the whole fleet, and a Redis that is killed or hangs in it."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.caching import Key, LayeredCache, Life, MemoryLayer
from service.caching.circuit import REST_S
from service.caching.redis_layer import TIMEOUT_S, redis_layer
from tests.processes import Process, wait_until
from tests.redis_servers import RedisServer, executable

THREADS, PROCESSES = 50, 2
BOUND_S = 120.0
"""For what takes a second on a machine at rest."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    running = RedisServer(executable(), Path(tempfile.mkdtemp()))
    running.start()
    yield running
    running.process.resume()
    running.stop()


def test_fifty_threads_of_each_of_two_processes_load_a_cold_key_once(
    server: RedisServer, tmp_path: Path
) -> None:
    arguments = [server.url, str(THREADS), str(THREADS * PROCESSES)]
    command = [sys.executable, "-m", "tests.integration.caching_process", *arguments]
    fleet = [
        Process(f"cache{at}", command, tmp_path / f"cache{at}.log", {}) for at in range(PROCESSES)
    ]
    for each in fleet:
        each.start()
    try:
        ready = wait_until(lambda: int(server.client.get("test:ready") or 0) == PROCESSES, BOUND_S)
        assert ready, fleet[0].tail()
        server.client.set("test:go", 1)
        ended = wait_until(lambda: all(each.exit_status is not None for each in fleet), BOUND_S)
        assert ended, fleet[0].tail()
        said = [json.loads(each.log.read_text().splitlines()[-1]) for each in fleet]
    finally:
        for each in fleet:
            each.stop()
    assert [each["got"] for each in said] == [[1] * THREADS] * PROCESSES
    assert server.client.get("test:loads") == b"1"
    assert sum(each["cache"].get("elsewhere", 0) for each in said) <= PROCESSES - 1


@dataclass
class Storm:
    """Threads that ask for keys which are soon no longer fresh, until they are told to end."""

    cache: LayeredCache
    threads: int = 16

    def __post_init__(self) -> None:
        self.took: list[float] = []
        self.errors: list[BaseException] = []
        self._end = threading.Event()

    def during(self, what: Callable[[], None]) -> None:
        """Run `what` while the threads ask, then end them."""
        with ThreadPoolExecutor(self.threads) as pool:
            running = [pool.submit(self._ask, number) for number in range(self.threads)]
            try:
                self.more()
                what()
            finally:
                self._end.set()
            for each in running:
                each.result(BOUND_S)

    def more(self, gets: int = 500) -> None:
        """Wait until the threads have made so many more calls."""
        enough = len(self.took) + gets
        assert wait_until(lambda: len(self.took) >= enough or bool(self.errors), BOUND_S)

    def _ask(self, number: int) -> None:
        life = Life(fresh_s=0.05, stale_s=0.05)
        at = number
        while not self._end.is_set():
            at += 1
            began = time.monotonic()
            try:
                assert self.cache.get(Key.shared("key", at % 40), lambda: "value", life) == "value"
            except BaseException as error:
                self.errors.append(error)
                return
            self.took.append(time.monotonic() - began)


def stormy(server: RedisServer) -> Storm:
    return Storm(
        LayeredCache("quiz", memory=MemoryLayer(10_000_000), shared=(redis_layer(server.url),))
    )


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_redis_that_ends_in_a_storm_costs_a_time_out_and_no_error(
    server: RedisServer, how: str
) -> None:
    storm = stormy(server)
    away: list[float] = []

    def end_it() -> None:
        before = len(storm.took)
        began = time.monotonic()
        if how == "killed":
            server.process.kill()
        else:
            server.process.pause()
        storm.more(5_000)
        away.extend((time.monotonic() - began, before))

    storm.during(end_it)
    assert storm.errors == []
    counts = storm.cache.counts().layers["redis"]
    # Each thread may be under way when Redis ends. After that one thread tries it now and then.
    # Until then a busy machine may have been slow for more than the time-out: also at rest_s.
    tries = storm.threads + time_for_tries(storm)
    assert 0 < counts["error"] <= tries, counts
    assert counts["rested"] > 1_000
    slow = [each for each in storm.took[int(away[1]) :] if each > TIMEOUT_S]
    assert len(slow) <= len(storm.took) / 20, (len(slow), max(slow))


def time_for_tries(storm: Storm) -> float:
    """How often the circuit may have let all threads through, in the time that the storm took."""
    return storm.threads * (sum(storm.took) / storm.threads / REST_S + 1)


def test_a_redis_that_comes_back_is_used_again(server: RedisServer) -> None:
    storm = stormy(server)

    def restart() -> None:
        server.process.kill()
        storm.more()
        server.start()
        hits = storm.cache.counts().layers["redis"]["written"]
        again = lambda: storm.cache.counts().layers["redis"]["written"] > hits + 100  # noqa: E731
        assert wait_until(again, BOUND_S)

    storm.during(restart)
    assert storm.errors == []


def test_without_redis_each_process_loads_a_key_once() -> None:
    cache = LayeredCache(
        "quiz", memory=MemoryLayer(10_000_000), shared=(redis_layer("redis://127.0.0.1:1/0"),)
    )
    loads: list[int] = []
    together = threading.Barrier(THREADS)
    asked = threading.Semaphore(0)

    def load() -> str:
        loads.append(1)
        for _ in range(THREADS):
            assert asked.acquire(timeout=BOUND_S)
        return "value"

    def ask(_: int) -> str:
        together.wait(BOUND_S)
        asked.release()
        return str(cache.get(Key.shared("cold"), load, Life(fresh_s=3600)))

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(ask, range(THREADS))) == ["value"] * THREADS
    assert len(loads) == 1
