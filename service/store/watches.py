"""Watches in SQL, as `service.ports.watches.Watches`."""

from __future__ import annotations

import sqlalchemy as sa

from service.domain.watching import Seen, seen_from_json
from service.ports.watches import Watch
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load
from service.store.encode import dump

_w = schema.watches.c


class WatchStore:
    """The table of watches."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, run: str, now: float, ends_at: float) -> None:
        """Begin a watch, once; its first look is due now."""
        row = {
            "run": run,
            "began_at": now,
            "ends_at": ends_at,
            "due_at": now,
            "token": 0,
            "seen": dump(Seen().to_json()),
        }
        self._write(insert_of(self._engine.dialect, schema.watches).on_conflict_do_nothing(), row)

    def take(self, now: float, hold_s: float) -> Watch | None:
        """Take the watch whose look has been due for the longest."""
        due = (
            sa.select(_w.run)
            .where(_w.ended_at.is_(None), _w.due_at <= now)
            .order_by(_w.due_at, _w.run)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        take = (
            sa.update(schema.watches)
            .values(due_at=now + hold_s, token=_w.token + 1)
            .returning(_w.run, _w.began_at, _w.ends_at, _w.token, _w.seen)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            run = connection.execute(due).scalar_one_or_none()
            if run is None:
                return None
            row = connection.execute(take.where(_w.run == run)).one()
        return Watch(row.run, row.began_at, row.ends_at, row.token, seen_from_json(load(row.seen)))

    def save(self, watch: Watch, seen: Seen) -> bool:
        """Keep what a look has seen, where the watch is still this worker's."""
        kept = sa.update(schema.watches).where(_of(watch)).values(seen=dump(seen.to_json()))
        return self._write(kept)

    def owned(self, watch: Watch) -> bool:
        """Whether nobody else has taken the watch since."""
        with translated(), self._engine.connect() as connection:
            return connection.execute(sa.select(_w.run).where(_of(watch))).first() is not None

    def told(self, watch: Watch, seen: Seen, due_at: float) -> bool:
        """People were told; the next look is due at `due_at`."""
        told = sa.update(schema.watches).where(_of(watch))
        return self._write(told.values(seen=dump(seen.to_json()), due_at=due_at))

    def end(self, run: str, now: float) -> None:
        """No further look."""
        ends = sa.update(schema.watches).where(_w.run == run, _w.ended_at.is_(None))
        self._write(ends.values(ended_at=now))

    def _write(self, statement: sa.Executable, values: dict[str, object] | None = None) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            result = connection.execute(statement, values)
            return bool(result.rowcount)


def _of(watch: Watch) -> sa.ColumnElement[bool]:
    return sa.and_(_w.run == watch.run, _w.token == watch.token, _w.ended_at.is_(None))


def hasten(connection: sa.Connection, run: str, now: float) -> None:
    """Have a run's watch looked after now, and not when its next look would be due. Nothing where
    the run has none."""
    soon = sa.update(schema.watches).where(_w.run == run, _w.ended_at.is_(None))
    connection.execute(soon.values(due_at=now))


def is_watching(run: sa.ColumnElement[str]) -> sa.Exists:
    """Whether a run's watch goes on; to stand within another query."""
    return sa.exists().where(_w.run == run, _w.ended_at.is_(None))
