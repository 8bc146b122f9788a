"""Watchdogs and the heartbeat, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from service.domain.heartbeat import Waiting
from service.domain.watchdogs import Episode, Known, Watchdog, heard_at
from service.ports import Message
from service.ports.outbox import Waiting as WaitingMessage
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.outbox import keep_message
from service.store.watchdogs_told import ONE, known_watchdogs, untold_since

_w, _h, _a = schema.watchdogs.c, schema.heartbeats.c, schema.alerts.c
NEWEST = 100
"""Episodes of a name that are looked through, newest first, so that a watchdog which has often come
and gone costs no more than another. One that still fires is not found where a hundred newer ones
have its name: a watchdog is one alert of each stack, so a hundred stacks."""
_EPISODE = (
    _a.identity,
    _a.source,
    _a.fingerprint,
    _a.kind,
    _a.open,
    _a.last_seen,
    _a.resolved_at,
    _a.times_seen,
)


class WatchdogStore:
    """The table of watchdogs, as `service.ports.watchdogs.Watchdogs`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def heard(self, alert: str) -> float | None:
        """As `Watchdogs`: along the index of names."""
        query = sa.select(*_EPISODE).where(_a.name == alert).order_by(_a.id.desc()).limit(NEWEST)
        with translated(), self._engine.connect() as connection:
            return heard_at(Episode(*row) for row in connection.execute(query))

    def known(self) -> Sequence[Known]:
        """As `Watchdogs`."""
        with translated(), self._engine.connect() as connection:
            return known_watchdogs(connection)

    def note(self, watchdog: Watchdog, heard_at: float | None) -> None:
        """As `Watchdogs`: two workers may note at a time, and the newest word stays."""
        insert = insert_of(self._engine.dialect, schema.watchdogs)
        new = insert.excluded.heard_at
        newer = sa.or_(_w.heard_at.is_(None), _w.heard_at < new)
        statement = insert.on_conflict_do_update(
            index_elements=["alert"],
            set_={
                "absent_s": insert.excluded.absent_s,
                "heard_at": sa.case((newer, new), else_=_w.heard_at),
            },
        )
        row = {"alert": watchdog.alert, "absent_s": watchdog.absent_s, "heard_at": heard_at}
        self._write(statement.values(row))

    def silent(self, alert: str, now: float, message: Message) -> bool:
        """As `Watchdogs`: of several workers that see it at a time, one changes the row."""
        change = (
            sa.update(schema.watchdogs)
            .where(_w.alert == alert, _w.silent_since.is_(None))
            .values(silent_since=now, paged_at=None)
        )
        return self._told(change, f"watchdog/{alert}/silent", message, now)

    def take(self, alert: str, now: float, hold_s: float) -> bool:
        """As `Watchdogs`."""
        free = sa.or_(_w.taken_until.is_(None), _w.taken_until <= now)
        return self._write(
            sa.update(schema.watchdogs)
            .where(_w.alert == alert, free)
            .values(taken_until=now + hold_s)
        )

    def paged(self, alert: str, now: float) -> bool:
        """As `Watchdogs`."""
        return self._write(
            sa.update(schema.watchdogs)
            .where(_w.alert == alert, _w.silent_since.is_not(None))
            .values(paged_at=now, taken_until=None)
        )

    def back(self, alert: str, now: float, message: Message) -> bool:
        """As `Watchdogs`."""
        change = (
            sa.update(schema.watchdogs)
            .where(_w.alert == alert, _w.silent_since.is_not(None))
            .values(silent_since=None, paged_at=None, taken_until=None)
        )
        return self._told(change, f"watchdog/{alert}/back", message, now)

    def forget(self, alert: str) -> None:
        """As `Watchdogs`."""
        self._write(sa.delete(schema.watchdogs).where(_w.alert == alert))

    def _told(self, change: sa.Update, place: str, message: Message, now: float) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if not connection.execute(change).rowcount:
                return False
            waiting = WaitingMessage(place, message, None, None, "", now, 1, 1)
            keep_message(connection, waiting, now)
        return True

    def _write(self, statement: sa.Insert | sa.Update | sa.Delete) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return bool(connection.execute(statement).rowcount)


class HeartbeatStore:
    """The row of the heartbeat, as `service.ports.watchdogs.Heartbeats`.

    `waiting` is a query of the durable engine's tables: since when the oldest run and the oldest
    page wait, in milliseconds since the epoch.
    """

    def __init__(self, engine: sa.Engine, waiting: sa.Select[int | None, int | None]):
        self._engine = engine
        self._waiting = waiting

    def take(self, now: float, every_s: float) -> bool:
        """As `Heartbeats`: the row changes for one worker alone."""
        row = {"id": ONE, "due_at": now, "sent_at": None, "problem": ""}
        first = insert_of(self._engine.dialect, schema.heartbeats).on_conflict_do_nothing()
        # A clock that was set back must not silence it for long.
        is_due = sa.or_(_h.due_at <= now, _h.due_at > now + every_s)
        change = sa.update(schema.heartbeats).where(_h.id == ONE, is_due)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(first, row)
            return bool(connection.execute(change.values(due_at=now + every_s)).rowcount)

    def waiting(self) -> Waiting:
        """As `Heartbeats`."""
        with translated(), self._engine.connect() as connection:
            run, page = connection.execute(self._waiting).one()
            untold = connection.execute(untold_since()).scalars().all()
        run_since, queued = (None if at is None else at / 1000.0 for at in (run, page))
        pages = [each for each in (queued, *untold) if each is not None]
        return Waiting(run_since, min(pages, default=None))

    def said(self, now: float, problem: str, again_s: float) -> None:
        """As `Heartbeats`."""
        sent = {"due_at": now + again_s} if problem else {"sent_at": now}
        change = sa.update(schema.heartbeats).where(_h.id == ONE).values(problem=problem, **sent)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(change)
