"""What the cache asks of a layer, and how a layer says that it cannot.

Each method is given the time. Keys and names come with the cache's namespace in front. The *names*
of an entry are its tags and the name of the whole cache; to invalidate a name makes every entry
that has it absent. *Marks* are what a layer returns with each read: they stand for all
invalidations until then. A write under marks that are no longer true leaves no entry to be read. So
a value whose loading began before an invalidation is never served after it, whoever is slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from service.caching.entry import Entry


class LayerDown(Exception):  # noqa: N818 - a state of the layer
    """The layer does not answer. It is left alone for a while."""


class LayerRefused(Exception):  # noqa: N818 - as above
    """The layer answers, and does not do this one thing: a Redis that is full, for example."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a layer says of a key: the entry or None, and its marks or None.

    Without marks nothing can be written; `prepare` makes those that are missing. An entry that is
    not `trusted` is a copy that may miss an invalidation by another process. It is served only
    where no shared layer answers.
    """

    entry: Entry | None
    marks: Any
    trusted: bool = True


class Layer(Protocol):
    """One place where entries are kept. Safe for threads.

    Every method may raise LayerDown or LayerRefused, and takes a bounded time.
    """

    @property
    def name(self) -> str:
        """What counters and messages call it."""

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        """The entry of `key` if it was written with the same names, and the marks now."""

    def prepare(self, key: str, names: Sequence[str], now: float) -> Reading:
        """As `read`, after what is missing of the marks is made. A full Redis may drop it again."""

    def write(self, key: str, names: Sequence[str], entry: Entry, marks: Any, now: float) -> None:
        """Keep the entry until it is dead, unless `marks` are no longer true."""

    def delete(self, key: str, now: float) -> None:
        """Make the entry absent, also one whose loading has already begun."""

    def invalidate(self, name: str, now: float) -> None:
        """Make all entries with this name absent, also those whose loading has already begun."""


@runtime_checkable
class FleetLock(Protocol):
    """A layer that can also say which process loads a key."""

    def lock(self, key: str, token: str, life_s: float) -> bool:
        """Take the right to load `key` for `life_s`; False where another has it."""

    def unlock(self, key: str, token: str) -> None:
        """Give it back, if `token` still has it."""
