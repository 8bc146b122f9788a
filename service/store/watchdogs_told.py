"""Reads what is known of watchdogs, of the heartbeat (`service.store.watchdogs` writes it), and of
pages that nobody got yet.

Apart from it, because whoever only reads needs nothing that it needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from service.domain.filters import PAGING
from service.domain.watchdogs import Known
from service.store import schema

_w, _h = schema.watchdogs.c, schema.heartbeats.c
_a, _d, _i, _m, _r = (
    table.c
    for table in (
        *(schema.alerts, schema.decisions, schema.incidents, schema.incident_members),
        schema.runs,
    )
)
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


def untold_since() -> sa.CompoundSelect[float | None]:
    """Since when people should know of what the pager has not taken, in seconds since the epoch:
    two rows, NULL where nothing waits.

    A page that fails is tried again by a new run, so the age of a run says nothing of it. The first
    row is when it was decided to page for the oldest alert that still fires, among the incidents
    that the pager does not know and whose run has not ended. The second is when the oldest watchdog
    became silent whose page was not taken.
    """
    # `alerts.newest` is the index's own term, as in `service.store.incidents`.
    incidents = (
        sa.select(sa.func.min(_d.decided_at).label("since"))
        .select_from(schema.runs)
        .join(schema.incidents, sa.literal("page:") + _i.dedup_key == _r.resource)
        .join(schema.incident_members, _m.dedup_key == _i.dedup_key)
        .join(schema.alerts, _a.identity == _m.identity)
        .join(schema.decisions, _d.alert == _a.id)
        .where(
            *(_r.ended_at.is_(None), _r.action.in_(PAGING), sa.not_(_i.paged)),
            *(sa.text("alerts.newest"), _a.open),
            *(_d.action.in_(PAGING), _d.verdict == "act"),
        )
    )
    watchdogs = sa.select(sa.func.min(_w.silent_since).label("since")).where(_w.paged_at.is_(None))
    return sa.union_all(incidents, watchdogs)
