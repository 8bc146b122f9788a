"""What is stored: a value as bytes, and the four moments of its life. Pure; all times are seconds.

An entry carries its own moments through all layers. A layer may keep it for less, never for longer,
so an entry that is promoted lives no longer than where it came from.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

LONGEST_LIFE_S = 7 * 86_400.0
"""The longest life in all, the week of the runbook's longest layer. What is remembered of
invalidations outlives it (`redis_layer.MARK_S`, `table.MARK_S`)."""

_VERSION = b"rc1"
"""In front of each stored entry. Another version is no entry, so two versions of the application
can run beside each other."""
_JSON, _BYTES = b"j", b"b"


class NotStorable(ValueError):  # noqa: N818 - says what the value is
    """The value would come back from the cache as another one. The message says what to change."""


class State(Enum):
    """What an entry is good for at a moment."""

    FRESH = "fresh"
    """Serve it."""
    STALE = "stale"
    """Serve it, and load a new one in the background."""
    LAST_GOOD = "last_good"
    """Load a new one, and serve this only if that fails."""
    DEAD = "dead"
    """Serve it never."""


@dataclass(frozen=True, slots=True)
class Life:
    """How long a value is good, in seconds from the moment at which its loading began.

    First it is fresh for `fresh_s`. Then, for `stale_s`, it is served while a new one is loaded in
    the background. Then, for `error_s`, it is served only if loading fails.

    Raises:
        ValueError: a length is negative or not finite, `fresh_s` is 0, or all three together are
            longer than LONGEST_LIFE_S.
    """

    fresh_s: float
    stale_s: float = 0.0
    error_s: float = 0.0

    def __post_init__(self) -> None:
        lengths = (self.fresh_s, self.stale_s, self.error_s)
        if not all(math.isfinite(each) and each >= 0 for each in lengths) or self.fresh_s <= 0:
            raise ValueError(f"{self}: give seconds, more than 0 of them fresh, none below 0")
        if sum(lengths) > LONGEST_LIFE_S:
            raise ValueError(f"{self}: the three together are at most {LONGEST_LIFE_S:.0f} s")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and its moments, by the wall clock: created ≤ fresh_until ≤ stale_until ≤ dead_at."""

    body: bytes
    created: float
    fresh_until: float
    stale_until: float
    dead_at: float

    def state(self, now: float) -> State:
        """What the entry is good for now."""
        if now < self.fresh_until:
            return State.FRESH
        if now < self.stale_until:
            return State.STALE
        return State.LAST_GOOD if now < self.dead_at else State.DEAD

    def at_most(self, now: float, left_s: float | None = None) -> Entry:
        """The entry by the reader's clock, which may differ from that of who wrote it.

        An entry that claims to be from the future begins now. Where the layer counts by itself how
        long the entry has left (`left_s`), it has no longer than that. So a clock that is wrong may
        make a life shorter, and never longer than it was at its origin.
        """
        later = max(0.0, self.created - now)
        if left_s is not None:
            later = max(later, self.dead_at - now - left_s)
        if later == 0.0:
            return self
        return Entry(
            self.body,
            self.created - later,
            self.fresh_until - later,
            self.stale_until - later,
            self.dead_at - later,
        )


def new_entry(body: bytes, life: Life, began: float, shorter_by: float = 0.0) -> Entry:
    """The entry of a value whose loading began at `began`.

    `shorter_by`, from 0 to 1, takes that share from the fresh part, so that entries which were
    loaded together do not end together.
    """
    fresh_until = began + life.fresh_s * (1.0 - shorter_by)
    stale_until = fresh_until + life.stale_s
    return Entry(body, began, fresh_until, stale_until, stale_until + life.error_s)


def encode(value: Any) -> bytes:
    """A value as bytes: what JSON can hold, or bytes.

    Raises:
        NotStorable: it would come back changed, such as a tuple, a key that is no text, or NaN.
    """
    if isinstance(value, bytes):
        return _BYTES + value
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        same = json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as problem:
        raise NotStorable(
            f"a value of type {type(value).__name__} cannot be cached: {problem}. Give what JSON "
            "holds, or bytes"
        ) from problem
    if not same:
        raise NotStorable(
            f"a value of type {type(value).__name__} would come back from the cache changed: use "
            "lists for tuples, and texts for keys"
        )
    return _JSON + text.encode()


def decode(body: bytes) -> Any:
    """The value of `encode`; each call makes a new one, so nobody changes another's."""
    return body[1:] if body[:1] == _BYTES else json.loads(body[1:])


class Stored(NamedTuple):
    """An entry as a shared layer keeps it, with the marks that it was written under."""

    entry: Entry
    marks: tuple[str, ...]


def pack(entry: Entry, marks: tuple[str, ...]) -> bytes:
    """The bytes of an entry: version, one line of JSON about it, then its body."""
    about = (entry.created, entry.fresh_until, entry.stale_until, entry.dead_at, *marks)
    return _VERSION + json.dumps(about).encode() + b"\n" + entry.body


def unpack(raw: bytes) -> Stored | None:
    """The entry in `raw`, or None for anything that `pack` has not made."""
    line, found, body = raw.partition(b"\n")
    if not found or not line.startswith(_VERSION) or body[:1] not in (_JSON, _BYTES):
        return None
    try:
        about = json.loads(line[len(_VERSION) :])
        if body[:1] == _JSON:
            json.loads(body[1:])
    except (ValueError, RecursionError):
        return None
    return _stored(body, about)


def _stored(body: bytes, about: Any) -> Stored | None:
    if not isinstance(about, list) or len(about) < 4:  # noqa: PLR2004 - the four moments
        return None
    moments, marks = about[:4], tuple(about[4:])
    if not all(type(each) in (int, float) and math.isfinite(each) for each in moments):
        return None
    if not all(isinstance(each, str) for each in marks) or moments != sorted(moments):
        return None
    if moments[3] - moments[0] > LONGEST_LIFE_S + 1:  # A second for what floats round.
        return None
    return Stored(Entry(body, *moments), marks)
