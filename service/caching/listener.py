"""Hears in Redis what other processes have invalidated, so that memory no longer serves it."""

from __future__ import annotations

import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.caching.cache import LayeredCache
from service.caching.redis_layer import channel_of

_LOOK_S = 0.5
"""How often the thread looks whether it shall end."""
_AGAIN_S = 1.0
"""How long it waits before it connects again."""
_ANSWER_S = 5.0
"""For a connection and its greeting. A channel may be silent for longer."""


class Listener:
    """A thread that hears the invalidations of a cache's namespace.

    It makes an invalidation seen sooner, and nothing depends on it: what it does not hear is seen
    when memory no longer trusts its copy (`memory.TRUST_S`).
    """

    def __init__(self, cache: LayeredCache, url: str) -> None:
        self._cache = cache
        self._channel = channel_of(cache.namespace)
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=_ANSWER_S,
            socket_timeout=_ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._closing = threading.Event()
        self._hearing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="cache-listener", daemon=True)

    @property
    def hears(self) -> bool:
        """Whether Redis has confirmed the subscription of now."""
        return self._hearing.is_set()

    def start(self) -> None:
        """Begin to listen, and connect again whenever the connection is lost."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, and wait for it."""
        self._closing.set()
        self._thread.join()
        self._client.close()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                self._hear()
            except (redis.RedisError, OSError, ValueError):
                # ValueError: redis-py, for a connection that is lost between two calls of it.
                self._hearing.clear()
                self._closing.wait(_AGAIN_S)

    def _hear(self) -> None:
        # redis-py gives this function no types.
        with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(self._channel)
            while not self._closing.is_set():
                message = subscription.get_message(timeout=_LOOK_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._hearing.set()
                elif message["type"] == "message":
                    self._cache.invalidated_elsewhere(message["data"].decode("ascii", "replace"))
