"""Workers' signs of life, kept in SQL and measured by the database's own clock.

A worker is alive while its lease runs. Retiring a dead one is a compare-and-set, so that one of
many survivors does it; a worker that finds itself retired has lost its runs to another and ends.

A lease that ends further ahead than its own length was written before the database's clock stepped
back. It is over: its worker may be dead, and nobody would know for as long as the step was. A live
worker that is retired so ends, starts again, and its runs are adopted.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from service.store import schema
from service.store.database import begin_writing, database_now, translated

_w = schema.workers.c

CLOCK_CORRECTION_S = 1.0
"""How far the clock may step back without a lease being over: time services correct differences
of this size by a step, and that must not end live workers."""
_OLD_LEASE_S = 300.0
"""The length of a lease whose row does not say it. Workers of versions before migration 0006 wrote
such rows; the default is 15 s, and nobody has a reason for more than this."""


def lease_runs(now: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Whether a worker's lease runs at `now`, on the database's clock."""
    length = sa.func.coalesce(_w.lease_s, _OLD_LEASE_S)
    return sa.and_(_w.lease_until > now, _w.lease_until <= now + length + CLOCK_CORRECTION_S)


class LeaseStore:
    """The table of workers; `lease_s` is how long one sign of life lasts, in seconds.

    `tell_time` is told the database's time (seconds since the epoch) with each sign of life.
    """

    def __init__(
        self,
        engine: sa.Engine,
        lease_s: float,
        tell_time: Callable[[float], None] = lambda _now: None,
    ) -> None:
        self._engine = engine
        self._lease_s = lease_s
        self._tell_time = tell_time
        self._now = database_now(engine.dialect.name)

    def register(self, executor: str, host: str, pid: int) -> None:
        """A process start; `executor` is never used again."""
        self._show_life(
            sa.insert(schema.workers).values(
                executor=executor,
                host=host,
                pid=pid,
                started_at=self._now,
                lease_until=self._now + self._lease_s,
                lease_s=self._lease_s,
            )
        )

    def renew(self, executor: str) -> bool:
        """Show life; False when this worker has been retired and must end."""
        return self._show_life(
            sa.update(schema.workers)
            .where(_w.executor == executor, _w.retired_at.is_(None))
            .values(lease_until=self._now + self._lease_s, lease_s=self._lease_s)
        )

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

    def _show_life(self, statement: sa.Insert | sa.Update) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            now = connection.execute(statement.returning(self._now)).scalar_one_or_none()
            if now is not None:
                self._tell_time(now)
        return now is not None

    def _update(self, statement: sa.Update | sa.Delete) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return bool(connection.execute(statement).rowcount)
