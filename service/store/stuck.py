"""Reads which scenarios do not go on, and why (`service.store.scenarios` writes it).

Apart from it, because whoever only reads needs nothing that it needs. No row of a scenario is read
for it as a scenario: it may be what cannot be read.
"""

from __future__ import annotations

import sqlalchemy as sa

from service.ports.scenarios import Stuck
from service.store import schema
from service.store.database import translated
from service.store.decode import load

_s = schema.scenario_runs.c


def stuck_scenarios(connection: sa.Connection) -> list[Stuck]:
    """Those that do not go on, the oldest first."""
    query = sa.select(_s.id, _s.stuck).where(_s.ended_at.is_(None), _s.stuck.is_not(None))
    return [
        read_stuck(run, text) for run, text in connection.execute(query.order_by(_s.created_at))
    ]


def stuck_now(engine: sa.Engine) -> list[Stuck]:
    """The same, on a connection of its own.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    with translated(), engine.connect() as connection:
        return stuck_scenarios(connection)


def read_stuck(run: str, text: str) -> Stuck:
    """What a row says of a scenario that does not go on."""
    return Stuck(run, **load(text))
