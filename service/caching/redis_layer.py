"""L2: Redis 6.2 or later, or Valkey; also the lock that says which process of the fleet loads.

| key | what |
|---|---|
| `<key>` in braces, `:e` | the entry, until it is dead |
| … `:d` | the mark of the last delete of the key, for DELETED_S |
| … `:l` | the token of the process that loads the key |
| `<name>` | the mark of a tag, or of everything; without one its entries are absent |

The braces are for a cluster, where they keep the three keys of one entry on one node; the layer is
tried with single servers only. A mark is random and made
anew after each invalidation, so it never comes back with an old value, whatever Redis evicts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.caching.entry import LONGEST_LIFE_S, Entry, Stored, unpack
from service.caching.entry import pack as _pack
from service.caching.layers import LayerDown, LayerRefused, Reading

TIMEOUT_S = 0.1
"""For a connection and for each answer. A Redis in the same network answers in about 1 ms."""
MARK_S = 2 * LONGEST_LIFE_S
"""How long a mark is kept after the last write under it: longer than any entry lives."""
DELETED_S = 600.0
"""How long the delete of a key is remembered, for loads that began before it. A value that took
longer to load is kept although its key was deleted meanwhile; so loads are bounded
(`LayeredCache`, load_s)."""

_KEEP_UNLESS_DELETED = """
local deleted = redis.call('GET', KEYS[2]) or ''
if deleted ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_UNLOCK_IF_MINE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_T = TypeVar("_T")


class RedisLayer:
    """Entries in one Redis, shared by the fleet. Safe for threads.

    The client is given, with time-outs, or made by `redis_layer`. Entries are JSON or bytes in an
    envelope with a version, never pickles: whoever can write to Redis cannot run code here.
    """

    name = "redis"

    def __init__(self, client: redis.Redis) -> None:
        if client.get_encoder().decode_responses:
            raise ValueError(
                "the client decodes answers to text, and entries are bytes: make it "
                "without decode_responses"
            )
        self._client = client
        self._keep = client.register_script(_KEEP_UNLESS_DELETED)
        self._unlock_if_mine = client.register_script(_UNLOCK_IF_MINE)

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        """The entry and the marks, in one round trip."""

        def ask() -> Sequence[Any]:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.get(_entry(key))
            pipeline.pttl(_entry(key))
            pipeline.get(_deleted(key))
            for each in names:
                pipeline.get(each)
            return pipeline.execute()

        raw, left_ms, deleted, *marks = _asking(ask)
        found = tuple(map(_text, marks))
        complete = (_text(deleted), *found) if all(found) else None
        return Reading(_valid(raw, left_ms, found, now), complete)

    def prepare(self, key: str, names: Sequence[str], now: float) -> Reading:
        """Make the marks that are missing, then read."""

        def make() -> None:
            pipeline = self._client.pipeline(transaction=False)
            for each in names:
                pipeline.set(each, uuid.uuid4().hex, px=_ms(MARK_S), nx=True)
            pipeline.execute()

        _asking(make)
        return self.read(key, names, now)

    def write(
        self, key: str, names: Sequence[str], entry: Entry, marks: tuple[str, ...], now: float
    ) -> None:
        """Keep the entry until it is dead, unless its key was deleted since the marks were read."""
        left_ms = _ms(entry.dead_at - now)
        if left_ms <= 0:
            return
        deleted, *of_names = marks

        def send() -> None:
            pipeline = self._client.pipeline(transaction=False)
            keys, packed = [_entry(key), _deleted(key)], _pack(entry, tuple(of_names))
            self._keep(keys=keys, args=[deleted, packed, left_ms], client=pipeline)
            for each in names:
                pipeline.pexpire(each, _ms(MARK_S))
            pipeline.execute()

        _asking(send)

    def delete(self, key: str, now: float) -> None:
        """Remove the entry, and mark its key for loads that have begun already."""

        def send() -> None:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.delete(_entry(key))
            pipeline.set(_deleted(key), uuid.uuid4().hex, px=_ms(DELETED_S))
            pipeline.delete(_entry(key))
            _execute_and_tell(pipeline, key)

        _asking(send)

    def invalidate(self, name: str, now: float) -> None:
        """Remove the mark. A Redis that is full still does that."""

        def send() -> None:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.delete(name)
            _execute_and_tell(pipeline, name)

        _asking(send)

    def lock(self, key: str, token: str, life_s: float) -> bool:
        """Take the right to load `key`."""
        return bool(_asking(lambda: self._client.set(_lock(key), token, px=_ms(life_s), nx=True)))

    def unlock(self, key: str, token: str) -> None:
        """Give it back."""
        _asking(lambda: self._unlock_if_mine(keys=[_lock(key)], args=[token]))


def redis_layer(url: str, *, timeout_s: float = TIMEOUT_S) -> RedisLayer:
    """The layer on the Redis at `url`, with time-outs and without repeats: the circuit waits.

    A time-out does not bound the look-up of a host name. Use an address or a local resolver.
    """
    return RedisLayer(
        redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
    )


def channel_of(name: str) -> str:
    """Where invalidations of a key or a name are told; one channel for each namespace."""
    return name.partition(":")[0] + ":invalidated"


def _execute_and_tell(pipeline: Any, name: str) -> None:
    """Run the commands, and tell the other processes. A failure to tell them is no failure.

    They would find out by themselves, a little later (`memory.TRUST_S`).
    """
    pipeline.publish(channel_of(name), name)
    *answers, _ = pipeline.execute(raise_on_error=False)
    for each in answers:
        if isinstance(each, Exception):
            raise each


def _asking(ask: Callable[[], _T]) -> _T:
    """Have Redis asked; its own words are in the error."""
    try:
        return ask()
    except (redis.ConnectionError, redis.TimeoutError, OSError) as problem:
        raise LayerDown(f"Redis does not answer: {problem}") from problem
    except redis.RedisError as problem:
        raise LayerRefused(f"Redis answers: {problem}") from problem


def _valid(raw: Any, left_ms: int, marks: tuple[str, ...], now: float) -> Entry | None:
    """The entry, if it was written under the marks of now. One without an end is not ours."""
    stored: Stored | None = unpack(raw) if isinstance(raw, bytes) else None
    if stored is None or stored.marks != marks or not all(marks) or left_ms <= 0:
        return None
    return stored.entry.at_most(now, left_ms / 1000)


def _entry(key: str) -> str:
    return f"{{{key}}}:e"


def _deleted(key: str) -> str:
    return f"{{{key}}}:d"


def _lock(key: str) -> str:
    return f"{{{key}}}:l"


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
