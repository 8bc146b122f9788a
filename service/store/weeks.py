"""What was done in a time, from SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa

from service.domain.costs.week import RunCount
from service.domain.readings.readings import DAY, Reading
from service.store import schema
from service.store.database import translated

_r, _g = schema.runs.c, schema.readings.c


class WeekStore:
    """The tables of runs and of readings, read along their indexes by time."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def runs(self, since: float, until: float) -> Sequence[RunCount]:
        """As `Weeks`."""
        query = (
            sa.select(_r.action, _r.status, sa.func.count())
            .where(_r.created_at >= since, _r.created_at < until, ~_r.replay)
            .group_by(_r.action, _r.status)
            .order_by(_r.action, _r.status)
        )
        with translated(), self._engine.connect() as connection:
            return [RunCount(*row) for row in connection.execute(query)]

    def days(self, since: float, until: float) -> Sequence[Reading]:
        """As `Weeks`."""
        query = (
            sa.select(*(_g[field.name] for field in fields(Reading)))
            .where(_g.span == DAY, _g.at >= since, _g.at < until)
            .order_by(_g.at, _g.metric, _g.target)
        )
        with translated(), self._engine.connect() as connection:
            return [Reading(*row) for row in connection.execute(query)]
