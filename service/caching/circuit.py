"""A layer behind a circuit: while it is down it costs one time-out, and never an error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from service.caching.counters import Counters
from service.caching.entry import Entry
from service.caching.layers import FleetLock, Layer, LayerDown, LayerRefused, Reading

REST_S = 5.0
"""How long a layer is left alone after it did not answer. A dead layer with a time-out of 0.1 s
then costs 2 % of one caller's time."""
MOST_OWED = 1_000
"""Invalidations that a layer owes. Beyond them it owes the invalidation of everything."""

_T = TypeVar("_T")


class Circuit:
    """Calls a layer that may be down. Safe for threads.

    After a failure nobody calls the layer for `rest_s`. Then one caller tries it, while the others
    still go without. An invalidation that the layer did not take is owed: it is delivered before
    anything else is asked of the layer, so this process never reads an entry that it has
    invalidated itself. `everything` is the name that all entries have.
    """

    def __init__(
        self,
        layer: Layer,
        counters: Counters,
        *,
        everything: str,
        monotonic: Callable[[], float],
        rest_s: float = REST_S,
    ) -> None:
        self.name = layer.name
        self.layer = layer
        self._counters = counters
        self._everything = everything
        self._monotonic = monotonic
        self._rest_s = rest_s
        self._lock = threading.Lock()
        self._rests_until: float | None = None
        self._trying = False
        self._owed: dict[tuple[str, str], tuple[float]] = {}
        """Since when each is owed. The tuple is new for each, so that one that is owed once more
        while it is delivered is delivered once more."""

    def read(self, key: str, names: Sequence[str], now: float) -> Reading | None:
        """What the layer says; None where it does not."""
        reading = self._call(lambda: self.layer.read(key, names, now))
        if reading is not None:
            self._counters.of_layer(self.name, "miss" if reading.entry is None else "hit")
        return reading

    def look_again(self, key: str, names: Sequence[str], now: float) -> Reading | None:
        """As `read`, for who has read already: it is not counted."""
        return self._call(lambda: self.layer.read(key, names, now))

    def prepare(self, key: str, names: Sequence[str], now: float) -> Reading | None:
        """As `look_again`, and what is missing of the marks is made."""

        def both() -> Reading:
            reading = self.layer.read(key, names, now)
            if reading.marks is not None:
                return reading
            return self.layer.prepare(key, names, now)

        return self._call(both)

    def write(self, key: str, names: Sequence[str], entry: Entry, marks: Any, now: float) -> None:
        """Keep the entry, if the layer can."""

        def write() -> bool:
            self.layer.write(key, names, entry, marks, now)
            return True

        if self._call(write):
            self._counters.of_layer(self.name, "written")

    def delete(self, key: str, now: float) -> str | None:
        """Make the entry absent. None when that is done; else why it is owed, in words."""
        return self._owe_unless_done(("key", key), now)

    def invalidate(self, name: str, now: float) -> str | None:
        """As `delete`, for all entries with this name."""
        return self._owe_unless_done(("name", name), now)

    def lock(self, key: str, token: str, life_s: float) -> bool | None:
        """Take the fleet's lock; None where nobody can say who has it."""
        return self._call(lambda: _fleet(self.layer).lock(key, token, life_s))

    def unlock(self, key: str, token: str) -> None:
        """Give the fleet's lock back. Where that fails it ends by itself."""

        def unlock() -> bool:
            _fleet(self.layer).unlock(key, token)
            return True

        self._call(unlock)

    def _owe_unless_done(self, owed: tuple[str, str], now: float) -> str | None:
        """Owe it first, so that no other thread reads between the failure and the record."""
        with self._lock:
            self._owed[owed] = (now,)
            if len(self._owed) > MOST_OWED:
                self._owed = {("name", self._everything): (now,)}
        problem = _Problem()
        if self._call(lambda: True, problem) is not None:
            return None
        self._counters.of_layer(self.name, "owed")
        return problem.said or "it did not answer a moment ago and is left alone"

    def _call(self, call: Callable[[], _T], problem: _Problem | None = None) -> _T | None:
        if not self._may_call():
            self._counters.of_layer(self.name, "rested")
            return None
        try:
            self._deliver()
            result = call()
        except LayerDown as down:
            self._note(down, problem, "error")
            self._ended(rests=True)
            return None
        except LayerRefused as refused:
            self._note(refused, problem, "refused")
            self._ended(rests=False)
            return None
        except BaseException:
            self._ended(rests=False)
            raise
        self._ended(rests=False)
        return result

    def _note(self, error: Exception, problem: _Problem | None, kind: str) -> None:
        self._counters.of_layer(self.name, kind)
        if problem is not None:
            problem.said = str(error)

    def _may_call(self) -> bool:
        with self._lock:
            if self._rests_until is None:
                return True
            if self._trying or self._monotonic() < self._rests_until:
                return False
            self._trying = True
            return True

    def _ended(self, *, rests: bool) -> None:
        with self._lock:
            self._trying = False
            self._rests_until = self._monotonic() + self._rest_s if rests else None

    def _deliver(self) -> None:
        """Have the layer take what it owes; each is forgotten once it is taken."""
        while True:
            with self._lock:
                owed = next(iter(self._owed.items()), None)
            if owed is None:
                return
            (kind, name), since = owed
            if kind == "key":
                self.layer.delete(name, since[0])
            else:
                self.layer.invalidate(name, since[0])
            with self._lock:
                if self._owed.get((kind, name)) is since:
                    del self._owed[kind, name]


class _Problem:
    """Carries the words of a failure out of a call."""

    said: str | None = None


def _fleet(layer: Any) -> FleetLock:
    lock: FleetLock = layer
    return lock
