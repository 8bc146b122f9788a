"""How to cache now, as runbookd's action `set_cache_strategy` says it in a hash of Redis."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis

from service.caching.entry import LONGEST_LIFE_S, Life

SETTINGS = "runbookd:cache-settings"
LOOK_S = 5.0
"""Seconds between two looks at the hash. A strategy is set for an hour and not for a moment."""

_SECONDS = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Strategy:
    """For how many seconds an entry is fresh, and whether what is usually left out is cached too.

    `name` is empty where whoever set it gave none.
    """

    name: str
    ttl_s: float
    everything: bool

    def life(self, stale_s: float = 0.0, error_s: float = 0.0) -> Life:
        """The life of an entry that is loaded now. The two are shortened where all three together
        would be longer than an entry may live."""
        stale = min(stale_s, LONGEST_LIFE_S - self.ttl_s)
        return Life(self.ttl_s, stale, min(error_s, LONGEST_LIFE_S - self.ttl_s - stale))


STANDARD = Strategy("standard", 300.0, everything=False)
"""What holds where the hash says nothing: the values that runbookd gives this name."""


class Strategies:
    """The strategy in force. Safe for threads.

    Where Redis does not answer, the one that was read last goes on to hold. `client` needs
    time-outs of its own; `clock` counts seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        key: str = SETTINGS,
        default: Strategy = STANDARD,
        look_s: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._key = key
        self._default = default
        self._look_s = look_s
        self._clock = clock
        self._now = default
        self._next_look = clock()
        self._looking = threading.Lock()

    def now(self) -> Strategy:
        """The strategy. One thread looks when it is time, and the others do not wait for it."""
        if self._clock() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._next_look = self._clock() + self._look_s
                self._look()
            finally:
                self._looking.release()
        return self._now

    def _look(self) -> None:
        try:
            found = self._client.hmget(self._key, ["strategy", "ttl", "everything"])
        except (redis.RedisError, OSError):
            return
        names = ("strategy", "ttl", "everything")
        said = {name: _text(each) for name, each in zip(names, found, strict=True) if each}
        self._now = _read(said, self._default) if said else self._default


def _read(said: Mapping[str, str], default: Strategy) -> Strategy:
    """What is said and makes sense; the default for anything else, because a hash can be edited."""
    ttl, everything = said.get("ttl", ""), said.get("everything", "")
    seconds = int(ttl) if _SECONDS.fullmatch(ttl) else 0
    return Strategy(
        said.get("strategy", ""),
        float(seconds) if 0 < seconds <= LONGEST_LIFE_S else default.ttl_s,
        {"true": True, "false": False}.get(everything, default.everything),
    )


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
