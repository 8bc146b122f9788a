"""Reads what is known of watchdogs and of the heartbeat (`service.store.watchdogs` writes it).

Apart from it, because whoever only reads needs nothing that it needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from service.domain.watchdogs import Known
from service.store import schema

_w, _h = schema.watchdogs.c, schema.heartbeats.c
ONE = 1
"""The id of the only row of heartbeats."""


def known_watchdogs(connection: sa.Connection) -> list[Known]:
    """All that are on record, by name; the rules name a few."""
    names = [_w[name] for name in Known.__dataclass_fields__]
    return [Known(*row) for row in connection.execute(sa.select(*names).order_by(_w.alert))]


def last_heartbeat(connection: sa.Connection) -> tuple[float | None, str] | None:
    """When a heartbeat was last taken, and why the last one was not; None where none was due."""
    row = connection.execute(sa.select(_h.sent_at, _h.problem).where(_h.id == ONE)).one_or_none()
    return None if row is None else (row.sent_at, row.problem)
