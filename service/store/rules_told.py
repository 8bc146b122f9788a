"""Reads which rules each process has in force (`service.store.rulebooks` writes it).

Apart from it, because whoever only reads needs nothing that it needs.
"""

from __future__ import annotations

import sqlalchemy as sa

from service.domain.rules.told import SILENT_S, ProcessRules
from service.store import schema
from service.store.decode import load

_p = schema.rules_of_processes.c


def rules_of_processes(connection: sa.Connection, now: float) -> list[ProcessRules]:
    """The processes that were heard of lately, in the order of their names."""
    query = sa.select(schema.rules_of_processes).where(_p.seen_at > now - SILENT_S)
    rows = connection.execute(query.order_by(_p.role, _p.host, _p.pid, _p.process)).mappings()
    return [
        ProcessRules(
            **{**row, "refused": tuple(load(row["refused"])), "needs": tuple(load(row["needs"]))}
        )
        for row in rows
    ]
