"""A layered cache for the application: memory, Redis, a table, and the headers that a CDN obeys.

This package stands alone. It imports no other package of runbookd and reads no setting, so that the
application whose load runbookd watches can use it as it is. The import contract in pyproject.toml
holds that.

    cache = LayeredCache("quizmentor", memory=MemoryLayer(100 * 1024 * 1024), shared=[…])
    question = cache.get(Key.shared("question", 42), load, Life(fresh_s=3600, stale_s=600))

What needs a network is imported where it is used: `service.caching.redis_layer`,
`service.caching.listener`, `service.caching.table` and `service.caching.cloudflare`.
docs/caching.md explains the whole.
"""

from service.caching.cache import Cached, Invalidation, LayeredCache
from service.caching.cdn import PurgeFailed, Purger, cdn_headers
from service.caching.entry import LONGEST_LIFE_S, Life, NotStorable
from service.caching.flights import LoadOverdue
from service.caching.keys import Key
from service.caching.memory import MemoryLayer

__all__ = [
    "LONGEST_LIFE_S",
    "Cached",
    "Invalidation",
    "Key",
    "LayeredCache",
    "Life",
    "LoadOverdue",
    "MemoryLayer",
    "NotStorable",
    "PurgeFailed",
    "Purger",
    "cdn_headers",
]
