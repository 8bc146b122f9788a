"""The bounds of the cache hold for whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.caching import Key, Life, MemoryLayer
from service.caching.circuit import REST_S
from service.caching.entry import Entry, State, decode, encode, new_entry, pack, unpack
from service.caching.keys import checked_tags
from service.caching.memory import OF_A_NAME, OVERHEAD, TRUST_S
from tests.fakes.caching import MB, World

KEY = Key.shared("key")
SLACK_S = 1e-3
"""Floats of today's seconds are exact to a millionth; the bounds are asserted to a thousandth."""

lengths = st.floats(0, 100_000, allow_nan=False)
lives = st.builds(Life, st.floats(0.01, 100_000), lengths, lengths)
times = st.floats(0, 2_000_000_000, allow_nan=False)
entries = st.builds(new_entry, st.binary(max_size=50).map(encode), lives, times, st.floats(0, 0.99))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "get", "get", "get", "other get", "wait", "wait", "wait long", "background",
                "shared down", "table down", "up", "source down", "source up", "invalidate",
                "delete", "other invalidate", "forget memory", "forget shared",
            )
        ),
        st.floats(0.0, 1.0),
    ),
    max_size=40,
)  # fmt: skip


@given(values | st.binary())
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@given(entries, st.lists(st.text(max_size=5), max_size=3))
def test_an_entry_comes_back_from_its_envelope(entry: Entry, marks: list[str]) -> None:
    stored = unpack(pack(entry, tuple(marks)))
    assert stored is not None
    assert stored == (entry, tuple(marks))


@given(
    st.binary() | st.binary().map(lambda raw: b"rc1" + raw) | st.builds(pack, entries, st.just(()))
)
def test_any_bytes_are_an_entry_or_none_and_never_an_error(raw: bytes) -> None:
    for cut in (raw, raw[:-1], raw[: len(raw) // 2]):
        stored = unpack(cut)
        if stored is not None:
            decode(stored.entry.body)
            assert stored.entry.created <= stored.entry.fresh_until <= stored.entry.dead_at


@given(entries, times, st.none() | st.floats(0, 1e6))
def test_what_a_reader_makes_of_an_entry_is_never_longer_than_the_entry(
    entry: Entry, now: float, left_s: float | None
) -> None:
    """By the reader's clock, which may be wrong by years."""
    seen = entry.at_most(now, left_s)
    for name in ("created", "fresh_until", "stale_until", "dead_at"):
        assert getattr(seen, name) <= getattr(entry, name) + SLACK_S
    assert seen.dead_at - now <= entry.dead_at - entry.created + SLACK_S
    if left_s is not None:
        assert seen.dead_at - now <= left_s + SLACK_S


@given(st.lists(st.text(min_size=1, max_size=4) | st.integers(), min_size=1, max_size=4), st.data())
def test_keys_are_equal_for_equal_parts_only(parts: list[Any], data: st.DataObject) -> None:
    others = st.lists(st.text(min_size=1, max_size=4) | st.integers(), min_size=1, max_size=4)
    other = data.draw(others | st.just(parts))
    same = [(type(each), each) for each in parts] == [(type(each), each) for each in other]
    assert (Key.shared(*parts).text == Key.shared(*other).text) == same
    assert Key.shared(*parts).text.isascii()
    assert not Key.personal(*(parts * 2)).text.startswith("s:")


@given(st.lists(st.text(), max_size=5))
def test_tags_fit_into_a_header_or_are_refused(tags: list[str]) -> None:
    try:
        found = checked_tags(tags)
    except ValueError:
        return
    header = ",".join(found)
    assert header.isascii()
    assert not any(each.isspace() or ord(each) < 0x21 for each in header)
    assert [each for each in header.split(",") if each] == list(found)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60_000), st.floats(0, 100)), max_size=60)
)
def test_memory_never_holds_more_bytes_than_it_may(
    puts: list[tuple[int, int, float]],
) -> None:
    layer, now = MemoryLayer(50_000), 0.0
    for number, size, waits in puts:
        now += waits
        body = b"b" + b"x" * size
        layer.write(str(number), ("n",), Entry(body, now, now + 50, now + 50, now + 90), 0, now)
        assert layer.bytes <= 50_000
        kept = layer.read(str(number), ("n",), now).entry is not None
        assert kept == (OVERHEAD + OF_A_NAME + 1 + len(str(number)) + len(body) <= 50_000)


class Fleet:
    """Two processes over two layers. The source's value is the time at which it was read."""

    def __init__(self, life: Life) -> None:
        self.world = World()
        self.memory, self.shared = MemoryLayer(10 * MB), MemoryLayer(10 * MB, trust_s=1e12)
        self.world.shared.behind = self.shared
        self.life = life
        self.source_is_up = True
        self.caches = [self.world.process(memory=self.memory), self.world.process()]
        self.invalid_before = [0.0, 0.0]
        """For each process: no value that was read before may be served any more."""

    def load(self) -> float:
        if not self.source_is_up:
            raise OSError("the source is down")
        return self.world.clock()

    def get(self, process: int) -> None:
        now = self.world.clock()
        try:
            cached = self.caches[process].fetch(KEY, self.load, self.life, ("tag",))
        except OSError:
            return
        age = now - cached.value
        self.is_within_its_life(age, cached.state)
        assert cached.value >= self.invalid_before[process], "served after its invalidation"

    def is_within_its_life(self, age: float, state: State) -> None:
        life = self.life
        fresh, stale = life.fresh_s, life.fresh_s + life.stale_s
        bound = {State.FRESH: fresh, State.STALE: stale, State.LAST_GOOD: stale + life.error_s}
        assert age <= bound[state] + SLACK_S
        if state is State.LAST_GOOD:
            assert age >= stale - SLACK_S, "a value that was good enough waited for a load"

    def invalidate(self, process: int, *, delete: bool = False) -> None:
        cache = self.caches[process]
        _ = cache.delete(KEY) if delete else cache.invalidate("tag")
        self.invalid_before[process] = self.world.clock()

    def up(self) -> None:
        self.world.shared.up()
        self.world.table.up()
        self.world.clock.pass_(REST_S)

    def do(self, what: str, amount: float) -> None:
        world, life = self.world, self.life
        whole = life.fresh_s + life.stale_s + life.error_s
        actions: dict[str, Callable[[], object]] = {
            "get": lambda: self.get(0),
            "other get": lambda: self.get(1),
            "wait": lambda: world.clock.pass_(amount * life.fresh_s),
            "wait long": lambda: world.clock.pass_(amount * whole),
            "background": world.jobs.run,
            "shared down": world.shared.down,
            "table down": world.table.down,
            "up": self.up,
            "source down": lambda: setattr(self, "source_is_up", False),
            "source up": lambda: setattr(self, "source_is_up", True),
            "invalidate": lambda: self.invalidate(0),
            "delete": lambda: self.invalidate(0, delete=True),
            "other invalidate": lambda: self.invalidate(1),
            "forget memory": self.memory._items.clear,
            "forget shared": self.shared._items.clear,
        }
        actions[what]()


@given(lives, steps)
@settings(max_examples=150)
def test_no_value_is_served_beyond_its_life_or_after_its_invalidation(
    life: Life, done: list[tuple[str, float]]
) -> None:
    fleet = Fleet(life)
    for what, amount in done:
        fleet.do(what, amount)


@given(lives, st.floats(0, TRUST_S))
def test_another_process_serves_nothing_from_before_an_invalidation_once_trust_is_over(
    life: Life, since: float
) -> None:
    fleet = Fleet(life)
    fleet.get(1)
    fleet.world.clock.pass_(since)
    fleet.invalidate(0)
    fleet.world.clock.pass_(TRUST_S - since)
    fleet.invalid_before[1] = fleet.invalid_before[0]
    fleet.get(1)
