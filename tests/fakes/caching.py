"""What the tests of the cache share: a clock, a source, and a layer that fails when told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from service.caching.cache import LayeredCache
from service.caching.cdn import PurgeFailed
from service.caching.entry import Entry
from service.caching.layers import Layer, LayerDown, LayerRefused, Reading
from service.caching.memory import MemoryLayer

MB = 1024 * 1024


class Clock:
    """The time, for the wall clock and for the monotonic one."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Source:
    """What values are loaded from: counts, fails when told, and does something first."""

    def __init__(self, value: Any = "first") -> None:
        self.value = value
        self.loads = 0
        self.error: Exception | None = None
        self.first: Callable[[], object] = lambda: None

    def __call__(self) -> Any:
        self.loads += 1
        value = self.value
        self.first()
        if self.error is not None:
            raise self.error
        return value


class Faulty:
    """A layer in front of another one: it is down, or refuses, when told. Counts what is asked."""

    def __init__(self, behind: Layer, name: str = "shared") -> None:
        self.behind = behind
        self.name = name
        self.error: LayerDown | LayerRefused | None = None
        self.asked = 0

    def down(self) -> None:
        self.error = LayerDown("no answer within 0.1 s")

    def refuses(self) -> None:
        self.error = LayerRefused("OOM command not allowed")

    def up(self) -> None:
        self.error = None

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        self._ask()
        return self.behind.read(key, names, now)

    def prepare(self, key: str, names: Sequence[str], now: float) -> Reading:
        self._ask()
        return self.behind.prepare(key, names, now)

    def write(self, key: str, names: Sequence[str], entry: Entry, marks: Any, now: float) -> None:
        self._ask()
        self.behind.write(key, names, entry, marks, now)

    def delete(self, key: str, now: float) -> None:
        self._ask()
        self.behind.delete(key, now)

    def invalidate(self, name: str, now: float) -> None:
        self._ask()
        self.behind.invalidate(name, now)

    def _ask(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


class Locking(Faulty):
    """A faulty layer with the fleet's lock; `first` runs before the next lock is asked for."""

    def __init__(self, behind: Layer, clock: Clock) -> None:
        super().__init__(behind)
        self._clock = clock
        self._held: dict[str, tuple[str, float]] = {}
        self.first: Callable[[], object] = lambda: None

    def lock(self, key: str, token: str, life_s: float) -> bool:
        first, self.first = self.first, lambda: None
        first()
        self._ask()
        if key in self._held and self._held[key][1] > self._clock():
            return False
        self._held[key] = (token, self._clock() + life_s)
        return True

    def unlock(self, key: str, token: str) -> None:
        self._ask()
        if self._held.get(key, ("", 0.0))[0] == token:
            del self._held[key]


class Cdn:
    """A purger that keeps what it was asked to purge."""

    def __init__(self) -> None:
        self.purged: list[str] = []
        self.error: PurgeFailed | None = None
        self.first: Callable[[], object] = lambda: None

    def purge(self, tags: Sequence[str]) -> None:
        self.first()
        if self.error is not None:
            raise self.error
        self.purged += tags


class Jobs:
    """Keeps what would run in the background, until it is told to run it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], None]) -> None:
        self.waiting.append(job)

    def run(self) -> None:
        jobs, self.waiting = self.waiting, []
        for job in jobs:
            job()


class World:
    """A fleet of caches over one shared layer and one slow one, with one clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.jobs = Jobs()
        self.cdn = Cdn()
        self.shared = Faulty(MemoryLayer(10 * MB, trust_s=1e12), "shared")
        self.table = Faulty(MemoryLayer(10 * MB, trust_s=1e12), "table")
        self.cache = self.process()

    def process(self, **changed: Any) -> LayeredCache:
        """The cache of one more process."""
        parts: dict[str, Any] = {
            "memory": MemoryLayer(10 * MB),
            "shared": (self.shared, self.table),
            "purger": self.cdn,
            "jitter": 0.0,
            "clock": self.clock,
            "monotonic": self.clock,
            "sleep": self.clock.pass_,
            "spawn": self.jobs,
        }
        return LayeredCache("quiz", **{**parts, **changed})
