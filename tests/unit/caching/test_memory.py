"""L1 keeps to its bound in bytes, by the count of the interpreter too."""

from __future__ import annotations

import gc
import tracemalloc

from service.caching.entry import Entry
from service.caching.memory import MOST_NAMES, MemoryLayer

BOUND = 1_000_000
NOW = 1_000.0


def entry(size: int, dead_at: float = 1e9) -> Entry:
    return Entry(b"j" + b"x" * size, NOW, dead_at, dead_at, dead_at)


def test_memory_holds_its_bound_by_the_interpreters_count() -> None:
    """Small entries, where what the interpreter needs is the most of it, each written twice."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        layer = MemoryLayer(BOUND)
        for number in range(2_000):
            names = [f"quiz:t:tag{number}-{at}" for at in range(number % 4)]
            for _ in range(2):
                key = f"quiz:s:question:n{number:012d}"
                layer.write(key, names, entry(number % 50), 0, NOW)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert BOUND * 0.5 < used <= BOUND
    assert BOUND * 0.9 < layer.bytes <= BOUND


def test_the_least_recently_used_entry_leaves_first() -> None:
    layer = MemoryLayer(10_000)
    for key in ("a", "b", "c"):
        layer.write(key, (), entry(2_000), 0, NOW)
    assert layer.read("a", (), NOW).entry is not None
    layer.write("d", (), entry(2_000), 0, NOW)
    found = [key for key in "abcd" if layer.read(key, (), NOW).entry is not None]
    assert found == ["a", "c", "d"]


def test_dead_entries_leave_before_live_ones() -> None:
    layer = MemoryLayer(10_000)
    layer.write("live", (), entry(2_000), 0, NOW)
    for key in ("b", "c"):
        layer.write(key, (), entry(2_000, dead_at=NOW + 1), 0, NOW)
    layer.write("d", (), entry(2_000), 0, NOW + 2)
    assert layer.read("live", (), NOW + 2).entry is not None


def test_a_value_larger_than_the_memory_is_not_kept_and_removes_the_old_one() -> None:
    layer = MemoryLayer(10_000)
    layer.write("a", (), entry(10), 0, NOW)
    layer.write("b", (), entry(10), 0, NOW)
    layer.write("a", (), entry(20_000), 0, NOW)
    assert layer.read("a", (), NOW).entry is None
    assert layer.read("b", (), NOW).entry is not None


def test_what_is_remembered_of_invalidations_is_bounded() -> None:
    layer = MemoryLayer(BOUND)
    early = layer.read("a", ("t",), NOW).marks
    layer.write("a", ("t",), entry(10), early, NOW)
    for number in range(MOST_NAMES + 1):
        layer.invalidate(f"other{number}", NOW)
    assert len(layer._invalidated) <= MOST_NAMES
    assert layer.read("a", ("t",), NOW).entry is None
    layer.write("a", ("t",), entry(10), early, NOW)
    assert layer.read("a", ("t",), NOW).entry is None
    layer.write("a", ("t",), entry(10), layer.read("a", ("t",), NOW).marks, NOW)
    assert layer.read("a", ("t",), NOW).entry is not None
