"""L1: the memory of this process, bounded in bytes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from cachetools import TLRUCache

from service.caching.entry import Entry
from service.caching.layers import Reading

OVERHEAD, OF_A_NAME = 750, 64
"""Bytes that an entry costs beside its key and value, and that each of its names costs beside its
text. CPython 3.11 takes about 600 and 60, by tracemalloc (tests/unit/caching/test_memory.py)."""
MOST_NAMES = 10_000
"""Names whose last invalidation is remembered, about 2 MB. Beyond them everything is dropped."""
TRUST_S = 60.0
"""How long a copy is served without a look at the shared layers, where there are any. An
invalidation by another process is seen after that at the latest. The runbook keeps L1 a minute."""


@dataclass(frozen=True, slots=True)
class _Item:
    entry: Entry
    names: tuple[str, ...]
    number: int
    trusted_until: float
    size: int


class MemoryLayer:
    """Entries in memory, the least recently used leave first. Safe for threads.

    `max_bytes` bounds keys, values and what the interpreter needs for them.
    """

    name = "memory"

    def __init__(self, max_bytes: int, *, trust_s: float = TRUST_S) -> None:
        if max_bytes <= OVERHEAD:
            raise ValueError(
                f"a cache of {max_bytes} bytes holds nothing: give more than {OVERHEAD}"
            )
        if not trust_s > 0:
            raise ValueError(f"trust_s is {trust_s}: give more than 0 seconds")
        self._trust_s = trust_s
        self._lock = threading.Lock()
        self._now = 0.0
        self._number = 0
        self._floor = 0
        self._invalidated: dict[str, int] = {}
        self._items: TLRUCache[str, _Item, float] = TLRUCache(
            max_bytes,
            lambda _key, item, _now: item.entry.dead_at,
            timer=lambda: self._now,
            getsizeof=lambda item: item.size,
        )

    @property
    def bytes(self) -> int:
        """How much of `max_bytes` is in use."""
        with self._lock:
            return int(self._items.currsize)

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        """The entry of `key`. The marks are the number of the last invalidation."""
        with self._lock:
            self._now = now
            item = self._items.get(key)
            if item is None or item.names != tuple(names) or self._since(key, names, item.number):
                return Reading(None, self._number)
            return Reading(item.entry.at_most(now), self._number, now < item.trusted_until)

    prepare = read

    def write(self, key: str, names: Sequence[str], entry: Entry, marks: int, now: float) -> None:
        """Keep the entry; one that is larger than all of the memory is not kept."""
        size = OVERHEAD + len(key) + len(entry.body)
        size += sum(OF_A_NAME + len(each) for each in names)
        item = _Item(entry, tuple(names), marks, now + self._trust_s, size)
        with self._lock:
            self._now = now
            if self._since(key, names, marks):
                return
            self._items.pop(key, None)
            if size <= self._items.maxsize:
                self._items[key] = item

    def delete(self, key: str, now: float) -> None:
        """Drop the entry."""
        self.invalidate(key, now)
        with self._lock:
            self._items.pop(key, None)

    def invalidate(self, name: str, now: float) -> None:
        """Remember the invalidation: entries from before it are absent, and leave in time."""
        with self._lock:
            self._now = now
            self._number += 1
            if len(self._invalidated) >= MOST_NAMES:
                self._items.clear()
                self._invalidated.clear()
                self._floor = self._number
            self._invalidated[name] = self._number

    def _since(self, key: str, names: Sequence[str], number: int) -> bool:
        """Whether the key or one of the names was invalidated after `number`."""
        newest = max(self._invalidated.get(each, 0) for each in (key, *names))
        return max(newest, self._floor) > number
