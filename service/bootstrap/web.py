"""The parts of a web process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.bootstrap.rules import build_admitter, load_rules
from service.bootstrap.stores import Stores
from service.ports.admission import Delivery, Receipt
from service.ports.loop import Loop
from service.settings import Settings
from service.store.queries import Queries


@dataclass(frozen=True, slots=True)
class WebProcess:
    """What the web application is made of (`service.web.parts`)."""

    settings: Settings
    admit: Callable[[Sequence[Delivery], float], list[Receipt]]
    queries: Queries
    prove_write: Callable[[], None]
    redis_ping: Callable[[], bool]
    live_workers: Callable[[], int]
    clock: Callable[[], float]


def build_web(settings: Settings, loop: Loop | None = None) -> WebProcess:
    """The web process; its tables must be up to date (`Stores.migrate`).

    With a `loop`, `admit` may be called there.
    """
    stores = Stores(settings, loop=loop)
    admitter = build_admitter(stores, load_rules(settings))
    return WebProcess(
        settings=settings,
        admit=admitter.admit,
        queries=stores.queries,
        prove_write=stores.queries.prove_write,
        redis_ping=lambda: stores.coordination.ping() is None,
        live_workers=stores.queries.live_workers,
        clock=time.time,
    )
