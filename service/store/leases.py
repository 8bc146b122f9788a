"""Workers' signs of life, kept in SQL and measured by the database's own clock.

A worker is alive while its lease runs. Retiring a dead one is a compare-and-set, so that one of
many survivors does it; a worker that finds itself retired has lost its runs to another and ends.

A lease that ends further ahead than its own length was written before the database's clock stepped
back. It is over: its worker may be dead, and nobody would know for as long as the step was. A live
worker that is retired so ends, starts again, and its runs are adopted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields

import sqlalchemy as sa

from service.domain.decisions.controls import LOCK
from service.ports.runs import Signs
from service.store import schema
from service.store.alive import lease_runs
from service.store.database import begin_writing, database_now, translated
from service.store.watches import is_watching

_w = schema.workers.c
_other = schema.workers.alias("other").c
_ME = sa.bindparam("me", type_=sa.String)
_SIGNS = tuple(field.name for field in fields(Signs))

DUE_AHEAD_S = 4.0
"""Alerts that are due before the next sign of life, three seconds on, are waited for."""


class LeaseStore:
    """The table of workers; `lease_s` is how long one sign of life lasts, in seconds.

    `pending` is a query for the executor of each workflow that is under way: the table is the
    engine's. `tell_time` is told the database's time (seconds since the epoch) with each sign of
    life.
    """

    def __init__(
        self,
        engine: sa.Engine,
        lease_s: float,
        pending: sa.Select[str],
        tell_time: Callable[[float], None] = lambda _now: None,
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._tell_time = tell_time
        self._now = database_now(engine.dialect.name)
        self._renewal = self._made_renewal(pending)

    def register(self, executor: str, host: str, pid: int) -> None:
        """A process start; `executor` is never used again."""
        row = sa.insert(schema.workers).values(
            executor=executor,
            host=host,
            pid=pid,
            started_at=self._now,
            lease_until=self._now + self._lease_s,
            lease_s=self._lease_s,
        )
        self._show_life(row.returning(self._now.label("now")), {})

    def renew(self, executor: str) -> Signs | None:
        """Show life, and see what there may be to do, in one statement; None when this worker has
        been retired and must end.

        A worker at rest asks the database for nothing else, but for what its tasks look at by
        themselves, each ten seconds or more apart.
        """
        row = self._show_life(self._renewal, {"me": executor})
        if row is None:
            return None
        return Signs(**{name: bool(row[name]) for name in _SIGNS})

    def retire(self, executor: str) -> None:
        """A clean end: no one has to wait for the lease."""
        self._update(
            sa.update(schema.workers)
            .where(_w.executor == executor, _w.retired_at.is_(None))
            .values(retired_at=self._now)
        )

    def retire_dead(self, besides: str = "") -> list[str]:
        """Retire every worker whose lease is over; the ones that this call retired.

        `besides` is the worker that asks: it is late, not dead, and may still renew its lease.
        """
        statement = (
            sa.update(schema.workers)
            .where(_w.retired_at.is_(None), sa.not_(lease_runs(self._now)), _w.executor != besides)
            .values(retired_at=self._now)
            .returning(_w.executor)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return list(connection.execute(statement).scalars())

    def unretired(self) -> list[str]:
        """The workers whose runs nobody may take over."""
        query = sa.select(_w.executor).where(_w.retired_at.is_(None))
        with translated(), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def forget_old(self, keep_s: float) -> None:
        """Delete workers retired more than `keep_s` seconds ago."""
        self._update(sa.delete(schema.workers).where(_w.retired_at < self._now - keep_s))

    def _made_renewal(self, pending: sa.Select[str]) -> sa.UpdateBase:
        """Made once. It returns the database's time, and each of the signs under its name."""
        (executor,) = pending.subquery("pending").c
        unretired = sa.select(_other.executor).where(_other.retired_at.is_(None))
        signs = {
            "dead": sa.exists().where(
                _other.retired_at.is_(None),
                sa.not_(lease_runs(self._now, _other)),
                _other.executor != _ME,
            ),
            "left": sa.exists().where(executor != "", executor.not_in(unretired)),
            "here": sa.exists().where(executor == _ME),
            "unended": sa.exists().where(
                schema.runs.c.ended_at.is_(None), ~is_watching(schema.runs.c.id)
            ),
            "off": sa.exists().where(schema.droplet_offs.c.ended.is_(None)),
            "untold": sa.exists().where(schema.outbox.c.due_at <= self._now),
            "leftover": sa.exists().where(
                schema.leftovers.c.removed_at.is_(None), schema.leftovers.c.due_at <= self._now
            ),
            "watching": sa.exists().where(
                schema.watches.c.ended_at.is_(None), schema.watches.c.due_at <= self._now
            ),
            "judging": sa.or_(
                sa.exists().where(schema.outcomes.c.next_at <= self._now),
                sa.exists().where(schema.demotions.c.told.is_(None)),
            ),
            "asking": sa.exists().where(schema.approvals.c.told.is_(None)),
            "scenario": sa.exists().where(schema.scenario_runs.c.next_at <= self._now),
            "locked": sa.exists().where(
                schema.controls.c.ended_at.is_(None), schema.controls.c.kind == LOCK
            ),
            "due": sa.or_(
                sa.exists().where(schema.alerts.c.due_at <= self._now + DUE_AHEAD_S),
                sa.exists().where(
                    schema.controls.c.ended_at.is_(None), schema.controls.c.until <= self._now
                ),
            ),
        }
        return (
            sa.update(schema.workers)
            .where(_w.executor == _ME, _w.retired_at.is_(None))
            .values(lease_until=self._now + self._lease_s, lease_s=self._lease_s)
            .returning(self._now.label("now"), *(signs[name].label(name) for name in _SIGNS))
        )

    def _show_life(
        self, statement: sa.UpdateBase, values: Mapping[str, str]
    ) -> sa.RowMapping | None:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            row = connection.execute(statement, values).mappings().one_or_none()
            if row is not None:
                self._tell_time(row["now"])
        return row

    def _update(self, statement: sa.Update | sa.Delete) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return bool(connection.execute(statement).rowcount)
