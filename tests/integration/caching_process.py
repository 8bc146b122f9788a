"""One process of a fleet that asks for a cold key from many threads at once.

    python -m tests.integration.caching_process REDIS_URL THREADS OF_ALL

Says as JSON what its threads got and what its cache has counted. The load ends only when all
threads of all processes (OF_ALL) have begun to ask, so nobody comes late enough to be spared.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis

from service.caching import Key, LayeredCache, Life, MemoryLayer
from service.caching.redis_layer import redis_layer
from tests.processes import wait_until

BOUND_S = 120.0


def main(url: str, threads: int, of_all: int) -> None:
    control = redis.Redis.from_url(url, socket_timeout=BOUND_S)
    cache = LayeredCache(
        "quiz",
        memory=MemoryLayer(10_000_000),
        shared=(redis_layer(url, timeout_s=BOUND_S),),
        load_s=BOUND_S,
    )

    def everybody_asks() -> bool:
        return int(control.get("test:asked") or 0) >= of_all

    def load() -> Any:
        number = control.incr("test:loads")
        assert wait_until(everybody_asks, BOUND_S)
        return {"load": number}

    def ask(_: int) -> Any:
        control.incr("test:asked")
        return cache.get(Key.shared("cold"), load, Life(fresh_s=3600))["load"]

    control.incr("test:ready")
    assert wait_until(lambda: bool(control.exists("test:go")), BOUND_S)
    with ThreadPoolExecutor(threads) as pool:
        got = list(pool.map(ask, range(threads)))
    print(json.dumps({"got": got, "cache": cache.counts().cache}))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
