"""The table of workers as a worker opens it."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from service.engine.durable import pending_query
from service.store.leases import LeaseStore


def lease_store(
    engine: sa.Engine, lease_s: float, tell_time: Callable[[float], None] = lambda _: None
) -> LeaseStore:
    return LeaseStore(engine, lease_s, pending_query(engine.dialect.name), tell_time)
