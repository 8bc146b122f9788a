"""The application's cache over redis-py: Redis from 6.2 on, or Valkey.

Whether it is runbookd's own Redis is asked of the servers themselves, right before each write and
each look at the server. Two addresses may lead to one server, so they are not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.domain.errors import FailureKind
from service.ports.cache import CacheServer, Walked
from service.providers.errors import Call, in_words, no_answer, quote
from service.providers.redis_errors import asking
from service.providers.redis_identity import ids_of

SETTING = "APP_CACHE_URL"
TIMEOUT_S = 5.0
"""Seconds for a connection, and for each answer. A server in the same network answers in about a
millisecond; one that frees a lot of memory at once may take longer."""
_BROKEN = (redis.ConnectionError, redis.TimeoutError, OSError)
_LARGEST = 2**63 - 1
"""The largest number that a server counts to."""
T = TypeVar("T")


class RedisCache:
    """The application's cache (`service.ports.cache.AppCache`). Safe for threads.

    `own_url` is runbookd's own Redis, empty where there is none. Connections are made when they are
    needed.
    """

    def __init__(self, *, url: str, own_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._password = unquote(urlsplit(url).password or "")
        self._own_url = own_url
        self._timeout_s = timeout_s
        self._made: redis.Redis | None = None

    def server(self) -> CacheServer:
        """What INFO says, once it is known that the server is not our own."""
        call = self._call("read what it says of itself")
        with asking(call, SETTING):
            info = self._client(call).info()
        self._refuse_our_own(call, info)
        try:
            return CacheServer(
                run_id=str(info["run_id"]),
                version=str(info["redis_version"]),
                eviction=str(info.get("maxmemory_policy", "")),
                writable=info.get("role") == "master",
                clustered=bool(info.get("cluster_enabled")),
                keys=sum(
                    int(each.get("keys", 0))
                    for name, each in info.items()
                    if name == f"db{self._database}" and isinstance(each, Mapping)
                ),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise no_answer(call, f"INFO lacks {problem}") from problem

    def settings(self, key: str, names: Sequence[str]) -> Mapping[str, str]:
        """The fields by HMGET."""
        call = self._call(f"read {key}")
        with asking(call, SETTING):
            found = self._client(call).hmget(key, list(names))
        return _present(names, found)

    def replace_settings(self, key: str, was: Mapping[str, str], to: Mapping[str, str]) -> bool:
        """Read under WATCH, compare, and write within MULTI: no moment has a part of it."""
        call = self._call(f"set {key}", repeatable=False)
        names = sorted({*was, *to})

        def same(pipeline: Any) -> bool:
            return _present(names, pipeline.hmget(key, names)) == dict(was)

        def write(pipeline: Any) -> None:
            if gone := [name for name in was if name not in to]:
                pipeline.hdel(key, *gone)
            if to:
                pipeline.hset(key, mapping=dict(to))

        return self._compared(call, key, same, write)

    def generation(self, key: str) -> int:
        """GET, as a number."""
        call = self._call(f"read {key}")
        with asking(call, SETTING):
            found = self._client(call).get(key)
        return self._number(call, key, found)

    def replace_generation(self, key: str, was: int, to: int) -> bool:
        """Read under WATCH, compare, and SET within MULTI."""
        call = self._call(f"set {key}", repeatable=False)
        return self._compared(
            call,
            key,
            lambda pipeline: self._number(call, key, pipeline.get(key)) == was,
            lambda pipeline: pipeline.set(key, to),
        )

    def walk(self, prefix: str, cursor: int, count: int) -> Walked:
        """SCAN with the prefix, in which nothing is a pattern."""
        call = self._call(f"look for keys that begin with {prefix}")
        client = self._client(call)
        with asking(call, SETTING):
            found_cursor, keys = client.scan(cursor, match=f"{_literal(prefix)}*", count=count)
        return Walked(int(found_cursor), tuple(_bytes(each) for each in keys))

    def unlink(self, keys: Sequence[bytes]) -> int:
        """UNLINK of all of them in one command."""
        call = self._call(f"remove {len(keys)} keys", repeatable=False)
        client = self._client(call)
        self._refuse_our_own(call, self._who(call, client))
        with asking(call, SETTING):
            return int(client.unlink(*keys))

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()

    def _compared(
        self,
        call: Call,
        key: str,
        same: Callable[[Any], bool],
        write: Callable[[Any], None],
    ) -> bool:
        client = self._client(call)
        self._refuse_our_own(call, self._who(call, client))
        reads = Call(call.vendor, call.operation, True, call.setting, call.secret)
        with client.pipeline() as pipeline:
            with asking(reads, SETTING):
                pipeline.watch(key)  # type: ignore[no-untyped-call]  # redis-py has no types here
                if not same(pipeline):
                    return False
            pipeline.multi()
            write(pipeline)
            with asking(call, SETTING):
                try:
                    pipeline.execute()
                except redis.WatchError as changed:
                    # redis-py says the same of a connection that broke, which may have acted.
                    if isinstance(changed.__context__, _BROKEN):
                        raise changed.__context__ from None
                    return False
        return True

    def _number(self, call: Call, key: str, found: Any) -> int:
        try:
            number = int(found or 0)
        except ValueError:
            number = -1
        if not 0 <= number < _LARGEST:
            sentence = (
                f"{key} in {call.who} holds {quote(call, _text(found))}, which is no number of a "
                "generation. Nothing was changed. Look at what writes to it."
            )
            raise call.error(FailureKind.PERMANENT, sentence)
        return number

    @property
    def _database(self) -> int:
        client = self._made
        return int(client.get_connection_kwargs().get("db") or 0) if client else 0

    def _client(self, call: Call) -> redis.Redis:
        if self._made is None:
            if not self._url:
                sentence = (
                    f"{SETTING} is not set, so {call.who} is off as a target. Set it to the "
                    "address of the application's Redis or Valkey."
                )
                raise call.error(FailureKind.PERMANENT, sentence)
            self._made = self._made_for(call, self._url, SETTING)
        return self._made

    def _made_for(self, call: Call, url: str, setting: str) -> redis.Redis:
        try:
            return redis.Redis.from_url(
                url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                # The fewest commands: an account needs the right to each.
                driver_info=None,
            )
        except ValueError:
            # What is wrong with it would be told with a part of the password.
            sentence = (
                f"{setting} is no address of a Redis, so {call.who} was not asked. Write "
                "redis://user:password@host:6379/0, with %2F, %23, %3F and %40 for the signs "
                "/ # ? @ in the password."
            )
            raise call.error(FailureKind.PERMANENT, sentence) from None

    def _who(self, call: Call, client: redis.Redis) -> Mapping[str, Any]:
        """Who the server is; a read, also where the call goes on to write."""
        reads = Call(call.vendor, call.operation, True, call.setting, call.secret)
        with asking(reads, SETTING):
            return {**client.info("server"), **client.info("replication")}

    def _refuse_our_own(self, call: Call, theirs: Mapping[str, Any]) -> None:
        """Raise where the server is runbookd's own Redis, or one that copies it."""
        if not self._own_url:
            return
        own = self._made_for(call, self._own_url, "REDIS_URL")
        try:
            ours = {**own.info("server"), **own.info("replication")}
        except (redis.RedisError, OSError) as problem:
            sentence = (
                f"Whether {call.who} is runbookd's own Redis could not be told, because "
                f"REDIS_URL does not answer: {quote(call, in_words(problem))}. Nothing was changed."
            )
            raise call.error(FailureKind.TEMPORARY, sentence) from problem
        finally:
            own.close()
        if ids_of(theirs) & ids_of(ours):
            sentence = (
                f"{SETTING} and REDIS_URL lead to the same server (run_id {ours.get('run_id')}), "
                f"or to copies of one. So {call.who} would be runbookd's own Redis, which is never "
                "touched. Nothing was changed. Give the application one of its own."
            )
            raise call.error(FailureKind.PERMANENT, sentence)

    def _call(self, operation: str, *, repeatable: bool = True) -> Call:
        return Call("cache", operation, repeatable, SETTING, self._password)


def _present(names: Sequence[str], found: Sequence[Any]) -> dict[str, str]:
    return {
        name: _text(value) for name, value in zip(names, found, strict=True) if value is not None
    }


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _literal(prefix: str) -> str:
    """The prefix with each sign escaped that a pattern of SCAN gives a meaning."""
    return "".join(f"\\{sign}" if sign in "*?[]\\^" else sign for sign in prefix)
