"""Scenarios that do not go on, in SQL: what each look raised, and since when.

No row of a scenario is read for it as a scenario: it may be what cannot be read.
"""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from service.ports.scenarios import Stuck
from service.store import schema
from service.store.database import translated
from service.store.decode import load
from service.store.encode import dump

_s = schema.scenario_runs.c


def raised(connection: sa.Connection, run: str, why: str, at: float) -> Stuck:
    """Keep that a look at one raised this; how it is since."""
    query = sa.select(_s.stuck).where(_s.id == run).with_for_update()
    text = connection.execute(query).scalar_one_or_none()
    was = _stuck(run, text) if text else Stuck(run, why, at)
    now = Stuck(run, why, was.since, was.tries + 1, was.told)
    keep(connection, now)
    return now


def keep(connection: sa.Connection, stuck: Stuck) -> None:
    """Write how it is."""
    fields = {name: value for name, value in asdict(stuck).items() if name != "run"}
    mine = sa.update(schema.scenario_runs).where(_s.id == stuck.run)
    connection.execute(mine.values(stuck=dump(fields)))


def stuck_scenarios(connection: sa.Connection) -> list[Stuck]:
    """Those that do not go on, the oldest first."""
    query = sa.select(_s.id, _s.stuck).where(_s.ended_at.is_(None), _s.stuck.is_not(None))
    return [_stuck(run, text) for run, text in connection.execute(query.order_by(_s.created_at))]


def stuck_now(engine: sa.Engine) -> list[Stuck]:
    """The same, on a connection of its own.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    with translated(), engine.connect() as connection:
        return stuck_scenarios(connection)


def _stuck(run: str, text: str) -> Stuck:
    return Stuck(run, **load(text))
