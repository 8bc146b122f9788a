"""The cache: layers from near to far, one load for all who wait, and no error of a layer.

A value is looked for in memory, then in the shared layers in their order. What is found further
away is kept nearer too, with the moments that it has already. What is found nowhere is loaded once
in this process, and once in the fleet while the layer with the lock answers.
"""

from __future__ import annotations

import random as _random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cachetools import TTLCache

from service.caching.cdn import PurgeFailed, Purger, cdn_headers
from service.caching.circuit import Circuit
from service.caching.counters import Counters, Counts
from service.caching.entry import Entry, Life, State, decode, encode, new_entry
from service.caching.flights import Flights, LoadOverdue
from service.caching.keys import Key, checked_namespace, checked_tags
from service.caching.layers import FleetLock, Layer, Reading
from service.caching.memory import MemoryLayer

LOAD_S = 5.0
"""How long a load should take at most, in seconds."""
RETRY_S = 1.0
"""After a load has failed, the key is not loaded again for so long, however many ask."""
JITTER = 0.1
"""The largest share that chance takes from the fresh time of an entry."""
LARGEST = 1024 * 1024
"""Bytes of the largest value that is kept."""
REFRESHES = 4
"""Loads in the background at a time."""
POLL_S = 0.02
"""How often a process asks whether another has loaded what it waits for."""
_MOST_FAILED = 1_000

Load = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Cached:
    """A value, and what it was good for when it was served."""

    value: Any
    state: State
    entry: Entry


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What became of a delete or an invalidation.

    `owed` has each layer that did not take it, and why. This process delivers it before it reads
    the layer again. Until then other processes may still read the old entry there, to the end of
    its life at most. `not_purged` says why the CDN has not confirmed; purge again, or wait.
    """

    owed: Mapping[str, str] = field(default_factory=dict)
    not_purged: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every layer and the CDN have taken it."""
        return not self.owed and self.not_purged is None


class _Asked(NamedTuple):
    """A key as the layers know it."""

    key: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """The entry that was found, and the marks of each layer from before."""

    entry: Entry | None
    marks: Mapping[str, Any]


class LayeredCache:
    """The cache of one application. Safe for threads; make it after a fork, not before.

    `memory` is looked at first, then each of `shared` in its order. The first of them that is a
    FleetLock says which process loads. `purger` purges the CDN. Layers that have the same
    `namespace` in the same Redis and table share their entries.

    `load_s` is how long a load should take. Who waits for another's load waits twice as long before
    it loads by itself, and the fleet's lock lasts so long. `clock` is the wall clock, in seconds;
    machines that share a layer have to agree on it to within what may be too old. `monotonic`,
    `sleep`, `random` and `spawn` (run a function beside the caller) are for tests.
    """

    def __init__(
        self,
        namespace: str,
        *,
        memory: MemoryLayer,
        shared: Sequence[Layer] = (),
        purger: Purger | None = None,
        load_s: float = LOAD_S,
        retry_s: float = RETRY_S,
        jitter: float = JITTER,
        largest: int = LARGEST,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        spawn: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        if not 0 <= jitter < 1:
            raise ValueError(f"jitter is {jitter}: give a share from 0 to below 1")
        if not load_s > 0 or not retry_s > 0:
            raise ValueError(f"load_s is {load_s} and retry_s {retry_s}: give more than 0 seconds")
        self.namespace = checked_namespace(namespace)
        self._everything = f"{namespace}:*"
        self._counters = Counters()
        self._memory = self._circuit(memory, monotonic)
        self._shared = tuple(self._circuit(each, monotonic) for each in shared)
        self._layers = (self._memory, *self._shared)
        if len({each.name for each in self._layers}) < len(self._layers):
            raise ValueError("two layers of the cache have the same name")
        self._fleet = next(
            (each for each in self._shared if isinstance(each.layer, FleetLock)), None
        )
        self._purger = purger
        self._load_s, self._jitter, self._largest = load_s, jitter, largest
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._random, self._spawn = random, spawn or _in_a_thread
        self._flights: Flights[Entry] = Flights(2 * load_s)
        self._refreshes = threading.BoundedSemaphore(REFRESHES)
        self._failed: TTLCache[str, Exception, float] = TTLCache(_MOST_FAILED, retry_s, monotonic)
        self._failed_lock = threading.Lock()

    def get(self, key: Key, load: Load, life: Life, tags: Iterable[str] = ()) -> Any:
        """The value of `key`; `load` makes it where no layer has a usable one.

        A key always has the same tags: under others its entry is not found. What `load` returns is
        JSON or bytes, and comes back as a copy.

        Raises:
            NotStorable: the value would come back changed.
            LoadOverdue: two loads in a row took too long, and there is no last good value.
            Exception: what `load` raises, where there is no last good value.
        """
        return self.fetch(key, load, life, tags).value

    def fetch(self, key: Key, load: Load, life: Life, tags: Iterable[str] = ()) -> Cached:
        """As `get`, with the entry, from which `headers` makes the headers for a CDN."""
        asked = self._asked(key, tags)
        found = self._look(asked).entry
        state = State.DEAD if found is None else found.state(self._clock())
        if found is not None and state in (State.FRESH, State.STALE):
            self._counters.of_cache("hit" if state is State.FRESH else "stale")
            if state is State.STALE:
                self._refresh(asked, load, life)
            return Cached(decode(found.body), state, found)
        return self._load_or_last_good(asked, load, life, found)

    def peek(self, key: Key, tags: Iterable[str] = ()) -> Cached | None:
        """What the layers have, without a load; None where they have nothing that is alive."""
        found = self._look(self._asked(key, tags)).entry
        state = State.DEAD if found is None else found.state(self._clock())
        if found is None or state is State.DEAD:
            return None
        return Cached(decode(found.body), state, found)

    def put(self, key: Key, value: Any, life: Life, tags: Iterable[str] = ()) -> Invalidation:
        """Replace the value, whatever is being loaded for the key. Purges the key at the CDN.

        Raises:
            NotStorable: the value would come back changed; nothing is replaced.
        """
        asked, body = self._asked(key, tags), encode(value)
        deleted = self.delete(key)
        now = self._clock()
        readings = {each.name: each.prepare(*asked, now) for each in self._layers}
        marks = {name: each.marks for name, each in readings.items() if each is not None}
        self._keep(asked, self._new_entry(body, life, now), marks)
        return deleted

    def delete(self, key: Key) -> Invalidation:
        """Make the entry absent in every layer, and purge it at the CDN unless it is personal.

        A value whose load began before is not kept, and nobody who asks from now on gets it.
        """
        stored, now = f"{self.namespace}:{key.text}", self._clock()
        at_cdn = self._cdn_tag(key.tag) if key.user_tag is None else None
        return self._everywhere(lambda layer: layer.delete(stored, now), stored, at_cdn)

    def invalidate(self, tag: str) -> Invalidation:
        """Make all entries with this tag absent in every layer, and purge the tag at the CDN."""
        (checked,) = checked_tags((tag,))
        name, now = f"{self.namespace}:t:{checked}", self._clock()
        return self._everywhere(
            lambda layer: layer.invalidate(name, now), name, self._cdn_tag(checked)
        )

    def clear(self) -> Invalidation:
        """Make all entries of the namespace absent. Every key is loaded anew: mind the source."""
        name, now = self._everything, self._clock()
        return self._everywhere(lambda layer: layer.invalidate(name, now), name, self.namespace)

    def invalidated_elsewhere(self, name: str) -> None:
        """Another process has invalidated this key or name, as the layers know it."""
        self._memory.invalidate(name, self._clock())
        self._flights.forget(name)

    def headers(
        self, key: Key, cached: Cached, tags: Iterable[str] = (), *, browser_s: float = 0.0
    ) -> Mapping[str, str]:
        """The headers of the response that shows `cached`, for browsers and the CDN.

        A personal key gives `private, no-store`. `browser_s` is how long a browser keeps the
        response, which no purge reaches. Send no Set-Cookie with a response that is shared.
        """
        names = [self.namespace, *map(self._cdn_tag, (key.tag, *checked_tags(tags)))]
        personal = key.user_tag is not None
        now = self._clock()
        return cdn_headers(cached.entry, now, tags=names, personal=personal, browser_s=browser_s)

    def counts(self) -> Counts:
        """What has happened so far."""
        return self._counters.read()

    def _circuit(self, layer: Layer, monotonic: Callable[[], float]) -> Circuit:
        everything = self._everything
        return Circuit(layer, self._counters, everything=everything, monotonic=monotonic)

    def _asked(self, key: Key, tags: Iterable[str]) -> _Asked:
        found = checked_tags(tags)
        own = (key.user_tag,) if key.user_tag is not None else ()
        names = (self._everything, *(f"{self.namespace}:t:{each}" for each in (*own, *found)))
        return _Asked(f"{self.namespace}:{key.text}", names)

    def _cdn_tag(self, tag: str) -> str:
        return f"{self.namespace}:{tag}"

    def _look(self, asked: _Asked) -> _Look:
        """Look from near to far. The nearest shared layer that has the entry decides.

        A copy in memory that is no longer trusted counts only where no shared layer answers.
        """
        now = self._clock()
        near = self._memory.read(asked.key, asked.names, now) or Reading(None, None)
        if near.entry is not None and near.trusted and self._will_do(asked, near.entry, now):
            return _Look(near.entry, {})
        marks = {self._memory.name: near.marks}
        answered = False
        for layer in self._shared:
            reading = layer.read(asked.key, asked.names, now)
            if reading is None:
                continue
            answered = True
            if reading.entry is not None and reading.entry.state(now) is not State.DEAD:
                self._keep(asked, reading.entry, marks)
                return _Look(reading.entry, marks)
            marks[layer.name] = reading.marks
        return _Look(None if answered else near.entry, marks)

    def _will_do(self, asked: _Asked, entry: Entry, now: float) -> bool:
        """Whether a copy in memory is enough: a fresh one, or a stale one while a new one loads."""
        state = entry.state(now)
        if state is State.STALE:
            return self._flights.under_way(asked.key)
        return state is State.FRESH

    def _keep(self, asked: _Asked, entry: Entry, marks: Mapping[str, Any]) -> None:
        """Write the entry to each layer whose marks are known."""
        if len(entry.body) > self._largest:
            self._counters.of_cache("too_large")
            return
        now = self._clock()
        for layer in self._layers:
            known = marks.get(layer.name)
            if known is not None:
                layer.write(asked.key, asked.names, entry, known, now)

    def _load_or_last_good(
        self, asked: _Asked, load: Load, life: Life, last_good: Entry | None
    ) -> Cached:
        try:
            self._raise_if_it_just_failed(asked)
            entry, waited = self._flights.load_or_wait(
                asked.key, asked.names, lambda: self._lead(asked, load, life)
            )
        except Exception as error:
            if isinstance(error, LoadOverdue):
                self._remember_failure(asked, error)
            if last_good is None or last_good.state(self._clock()) is State.DEAD:
                self._counters.of_cache("load_failed")
                raise
            self._counters.of_cache("last_good")
            return Cached(decode(last_good.body), State.LAST_GOOD, last_good)
        self._counters.of_cache("loaded")
        if waited:
            self._counters.of_cache("waited")
        return Cached(decode(entry.body), State.FRESH, entry)

    def _refresh(self, asked: _Asked, load: Load, life: Life) -> None:
        """Load in the background, unless somebody does, it has just failed, or too many are."""
        if self._just_failed(asked) is not None or self._flights.under_way(asked.key):
            return
        if not self._refreshes.acquire(blocking=False):
            self._counters.of_cache("refresh_skipped")
            return
        flight = self._flights.begin(asked.key, asked.names)
        if flight is None:
            self._refreshes.release()
            return

        def job() -> None:
            try:
                self._flights.fly(flight, lambda: self._lead(asked, load, life))
            except Exception:
                self._counters.of_cache("refresh_failed")
            finally:
                self._refreshes.release()

        try:
            self._spawn(job)
        except RuntimeError as error:  # The machine has no thread left.
            self._flights.fail(flight, error)
            self._refreshes.release()
            self._counters.of_cache("refresh_skipped")

    def _lead(self, asked: _Asked, load: Load, life: Life) -> Entry:
        """Load for everybody, unless another thread or process has done so in between."""
        near = self._prepare(asked, (self._memory,))
        if near.entry is not None:
            return near.entry
        token = uuid.uuid4().hex
        held, elsewhere = self._take_turn(asked, token)
        try:
            if elsewhere is None:
                look = self._prepare(asked, self._shared)
                elsewhere = look.entry
            if elsewhere is not None:
                self._counters.of_cache("elsewhere")
                self._keep(asked, elsewhere, near.marks)
                return elsewhere
            began = self._clock()
            body = encode(self._loaded(asked, load))
            entry = self._new_entry(body, life, began)
            self._keep(asked, entry, {**near.marks, **look.marks})
            return entry
        finally:
            if held and self._fleet is not None:
                self._fleet.unlock(asked.key, token)

    def _take_turn(self, asked: _Asked, token: str) -> tuple[bool, Entry | None]:
        """Whether this process holds the fleet's lock, or the entry that another has loaded.

        Neither, where nobody can say who has the lock, or its holder takes too long.
        """
        until = self._monotonic() + self._load_s
        while self._fleet is not None:
            held = self._fleet.lock(asked.key, token, self._load_s)
            if held or held is None or self._monotonic() >= until:
                return bool(held), None
            self._sleep(POLL_S)
            reading = self._fleet.look_again(asked.key, asked.names, self._clock())
            if reading is None:
                break
            if reading.entry is not None and reading.entry.state(self._clock()) is State.FRESH:
                return False, reading.entry
        return False, None

    def _prepare(self, asked: _Asked, layers: Iterable[Circuit]) -> _Look:
        """The marks of each layer before a load, and a fresh entry that has come meanwhile."""
        now = self._clock()
        marks = {}
        for layer in layers:
            reading = layer.prepare(asked.key, asked.names, now)
            if reading is None:
                continue
            marks[layer.name] = reading.marks
            entry = reading.entry
            if entry is not None and reading.trusted and entry.state(now) is State.FRESH:
                return _Look(entry, marks)
        return _Look(None, marks)

    def _loaded(self, asked: _Asked, load: Load) -> Any:
        try:
            return load()
        except Exception as error:
            self._remember_failure(asked, error)
            raise

    def _new_entry(self, body: bytes, life: Life, began: float) -> Entry:
        return new_entry(body, life, began, self._jitter * self._random())

    def _remember_failure(self, asked: _Asked, error: Exception) -> None:
        with self._failed_lock:
            self._failed[asked.key] = error

    def _just_failed(self, asked: _Asked) -> Exception | None:
        with self._failed_lock:
            return self._failed.get(asked.key)

    def _raise_if_it_just_failed(self, asked: _Asked) -> None:
        error = self._just_failed(asked)
        if error is not None:
            raise error.with_traceback(None)

    def _everywhere(
        self, do: Callable[[Circuit], str | None], name: str, at_cdn: str | None
    ) -> Invalidation:
        """From far to near, so that no layer is refilled from one behind it; then the CDN."""
        said = {layer.name: do(layer) for layer in reversed(self._layers)}
        owed = {layer: why for layer, why in said.items() if why is not None}
        self._flights.forget(name)
        return Invalidation(owed, self._purge(at_cdn))

    def _purge(self, tag: str | None) -> str | None:
        if self._purger is None or tag is None:
            return None
        try:
            self._purger.purge((tag,))
        except PurgeFailed as problem:
            return str(problem)
        return None


def _in_a_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="cache-refresh", daemon=True).start()
