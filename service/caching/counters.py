"""What the cache has done, as numbers that can be read at any time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """All numbers at one moment, since the cache was made.

    `cache` counts calls of `get`: `hit`, `stale`, `last_good` and `loaded` say what was served and
    add up to the calls that returned; `waited` got the load of another thread, `elsewhere` that of
    another process, and both count as loaded. `load_failed`, `refresh_failed`, `refresh_skipped`
    and `too_large` tell of loads. `layers` has for each layer: `hit`, `miss`, `written`, `error`
    (a time-out or no connection), `refused`, `rested` (left alone after an error) and `owed`
    (an invalidation that it has not taken yet).
    """

    cache: Mapping[str, int]
    layers: Mapping[str, Mapping[str, int]]

    @property
    def hit_ratio(self) -> float | None:
        """The share of calls that waited for no load, from 0 to 1; None before the first call."""
        quick = sum(self.cache.get(each, 0) for each in ("hit", "stale"))
        all_of_them = quick + sum(self.cache.get(each, 0) for each in ("last_good", "loaded"))
        return quick / all_of_them if all_of_them else None


class Counters:
    """Counts what happens. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: Counter[str] = Counter()
        self._layers: dict[str, Counter[str]] = {}

    def of_cache(self, what: str) -> None:
        """Count one event of the cache as a whole."""
        with self._lock:
            self._cache[what] += 1

    def of_layer(self, layer: str, what: str) -> None:
        """Count one event of a layer."""
        with self._lock:
            self._layers.setdefault(layer, Counter())[what] += 1

    def read(self) -> Counts:
        """All numbers now, as copies."""
        with self._lock:
            return Counts(dict(self._cache), {name: dict(of) for name, of in self._layers.items()})
