"""The four moments of an entry, and what it is good for between them."""

from __future__ import annotations

import pytest

from service.caching.entry import LONGEST_LIFE_S, Entry, Life, State, new_entry, pack, unpack

ENTRY = Entry(b"j1", created=100, fresh_until=110, stale_until=130, dead_at=170)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (100, State.FRESH),
        (109.9, State.FRESH),
        (110, State.STALE),
        (129.9, State.STALE),
        (130, State.LAST_GOOD),
        (169.9, State.LAST_GOOD),
        (170, State.DEAD),
        (1e9, State.DEAD),
    ],
)
def test_an_entry_is_fresh_then_stale_then_the_last_good_then_dead(
    now: float, state: State
) -> None:
    assert ENTRY.state(now) is state


def test_chance_takes_from_the_fresh_part_alone() -> None:
    life = Life(fresh_s=10, stale_s=20, error_s=40)
    assert new_entry(b"j1", life, 100) == ENTRY
    assert new_entry(b"j1", life, 100, shorter_by=0.5) == Entry(b"j1", 100, 105, 125, 165)


@pytest.mark.parametrize(
    ("now", "left_s", "later"),
    [
        (105, None, 0),  # nothing to correct
        (105, 65, 0),  # the layer agrees
        (105, 80, 0),  # the layer would keep it longer than it lives
        (105, 60, 5),  # our clock is behind
        (90, None, 10),  # it comes from the future
        (90, 75, 10),
        (90, 60, 20),
        (90, 0, 80),
    ],
)
def test_a_reader_shortens_a_life_and_never_makes_it_longer(
    now: float, left_s: float | None, later: float
) -> None:
    moments = (each - later for each in (100, 110, 130, 170))
    assert ENTRY.at_most(now, left_s) == Entry(b"j1", *moments)


@pytest.mark.parametrize(
    "moments",
    [
        "[1,2,3]",
        "[1,2,3,null]",
        "[1,2,3,true]",
        '[1,2,3,"4"]',
        "[1,2,3,NaN]",
        "[1,2,3,Infinity]",
        "[1,3,2,4]",
        f"[1,2,3,{LONGEST_LIFE_S + 10}]",
        "[1,2,3,4,5]",
        '{"a":1}',
        "1",
        "[" * 100_000,
        "",
    ],
)
def test_moments_that_the_cache_does_not_write_are_no_entry(moments: str) -> None:
    assert unpack(b"rc1" + moments.encode() + b"\nj1") is None


@pytest.mark.parametrize("body", [b"", b"x1", b"j", b"j{", b"j\xff", b"1"])
def test_a_body_that_the_cache_does_not_write_is_no_entry(body: bytes) -> None:
    assert unpack(b"rc1[1,2,3,4]\n" + body) is None


def test_the_longest_life_survives_its_envelope() -> None:
    entry = new_entry(b"j1", Life(LONGEST_LIFE_S), 1_764_300_000.123456)
    assert unpack(pack(entry, ())) is not None
