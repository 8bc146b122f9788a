"""Which workers are alive, by the database's own clock (`service.store.leases` says what that is).

Apart from the store of leases, because whoever only reads needs nothing that it needs.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from service.store import schema
from service.store.database import database_now

_w = schema.workers.c

CLOCK_CORRECTION_S = 1.0
"""How far the clock may step back without a lease being over: time services correct differences
of this size by a step, and that must not end live workers."""
_OLD_LEASE_S = 300.0
"""The length of a lease whose row does not say it. Workers of versions before migration 0006 wrote
such rows; the default is 15 s, and nobody has a reason for more than this."""


def lease_runs(now: sa.ColumnElement[float], of: Any = _w) -> sa.ColumnElement[bool]:
    """Whether a worker's lease runs at `now`, on the database's clock; `of` are its columns."""
    length = sa.func.coalesce(of.lease_s, _OLD_LEASE_S)
    return sa.and_(of.lease_until > now, of.lease_until <= now + length + CLOCK_CORRECTION_S)


def live_workers(dialect: str) -> sa.Select[Any]:
    """How many workers have a lease that runs, by the database's clock."""
    return (
        sa.select(sa.func.count())
        .select_from(schema.workers)
        .where(_w.retired_at.is_(None), lease_runs(database_now(dialect)))
    )
