"""The record of readings, in SQL. A worker takes an hour before it reads it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa

from service.domain.decisions.decision_json import moment
from service.domain.readings.metrics import unit_of
from service.domain.readings.readings import DAY, DAY_S, HOUR, Reading, beginning, reading_of_day
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.pages import Page, UnknownCursor

_g, _h = schema.readings.c, schema.reading_hours.c
_FIELDS = [_g[field.name] for field in fields(Reading)]
_KEY = ("span", "metric", "target", "at")


class ReadingStore:
    """The tables of readings and of the hours that were read."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def dealt_with(self, since: float, now: float) -> Collection[float]:
        """The hours that nobody needs to take now."""
        query = sa.select(_h.at).where(_h.at >= since, sa.or_(_h.read, _h.taken_until > now))
        with translated(), self._engine.connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def take(self, hours: Collection[float], until: float, now: float) -> Collection[float]:
        """Take hours to be read; one statement, so that of several workers one gets each."""
        if not hours:
            return frozenset()
        insert = insert_of(self._engine.dialect, schema.reading_hours)
        # In one order, so that two workers that want the same hours don't wait for each other.
        values = [{"at": at, "taken_until": until, "read": False} for at in sorted(hours)]
        take = insert.values(values).on_conflict_do_update(
            index_elements=["at"],
            set_={"taken_until": until},
            where=sa.and_(sa.not_(_h.read), _h.taken_until <= now),
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return frozenset(connection.execute(take.returning(_h.at)).scalars())

    def keep(self, readings: Sequence[Reading], read: Collection[float]) -> None:
        """Keep readings of hours, and put their days together anew."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if readings:
                insert = insert_of(connection.dialect, schema.readings)
                rows = [{"span": HOUR, **asdict(each)} for each in sorted(readings, key=_order)]
                connection.execute(insert.on_conflict_do_nothing(), rows)
            days = {(each.metric, each.target, beginning(each.at, DAY_S)) for each in readings}
            for day in sorted(days):
                _put_together(connection, *day)
            if read:
                done = sa.update(schema.reading_hours).where(_h.at.in_(sorted(read)))
                connection.execute(done.values(read=True))

    def prune(self, hours_before: float, days_before: float, limit: int) -> int:
        """Remove what is older, in one batch."""
        removed = 0
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            for span, before in ((HOUR, hours_before), (DAY, days_before)):
                key = [_g[name] for name in _KEY]
                old = sa.select(*key).where(_g.span == span, _g.at < before)
                batch = old.order_by(_g.at).limit(limit)
                gone = sa.delete(schema.readings).where(sa.tuple_(*key).in_(batch))
                removed += connection.execute(gone).rowcount
            forgotten = sa.select(_h.at).where(_h.at < hours_before).order_by(_h.at).limit(limit)
            connection.execute(sa.delete(schema.reading_hours).where(_h.at.in_(forgotten)))
        return removed

    def newest(self) -> float | None:
        """When the newest hour began of which something is kept."""
        query = sa.select(sa.func.max(_g.at)).where(_g.span == HOUR)
        with translated(), self._engine.connect() as connection:
            found: float | None = connection.execute(query).scalar_one()
        return found


def _order(reading: Reading) -> tuple[str, str, float]:
    return reading.metric, reading.target, reading.at


def _put_together(connection: sa.Connection, metric: str, target: str, day: float) -> None:
    """Make the reading of a day of the hours that are kept of it."""
    of_the_day = sa.select(*_FIELDS).where(
        _g.span == HOUR,
        _g.metric == metric,
        _g.target == target,
        _g.at >= day,
        _g.at < day + DAY_S,
    )
    hours = [Reading(*row) for row in connection.execute(of_the_day.order_by(_g.at))]
    row = {"span": DAY, **asdict(reading_of_day(hours))}
    insert = insert_of(connection.dialect, schema.readings)
    values = {name: insert.excluded[name] for name in row if name not in _KEY}
    connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=values), row)


@dataclass(frozen=True, slots=True)
class ReadingFilter:
    """Which readings; None is no condition. Instants are seconds since the epoch, of when the hour
    or day began."""

    span: str = DAY
    metric: str | None = None
    target: str | None = None
    since: float | None = None
    until: float | None = None


def page_of_readings(
    connection: sa.Connection, wanted: ReadingFilter, limit: int, after: str | None
) -> Page:
    """Readings, newest first.

    Raises:
        UnknownCursor: `after` is no cursor of readings.
    """
    place = (_g.at, _g.metric, _g.target)
    query = sa.select(*_FIELDS).where(_g.span == wanted.span)
    for column, value in ((_g.metric, wanted.metric), (_g.target, wanted.target)):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(_g.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(_g.at < wanted.until)
    if after is not None:
        query = query.where(sa.tuple_(*place) < sa.tuple_(*map(sa.literal, _read_cursor(after))))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    rows = [Reading(*row) for row in connection.execute(query)]
    following = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return Page(tuple(_item(wanted.span, each) for each in rows[:limit]), following)


def _cursor(reading: Reading) -> str:
    return f"{reading.at:.0f}.{reading.metric}.{reading.target}"


def _read_cursor(after: str) -> tuple[float, str, str]:
    at, _, rest = after.partition(".")
    metric, dot, target = rest.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= _DIGITS and metric and dot):
        raise UnknownCursor(after)
    return float(at), metric, target


_DIGITS = 11
"""Digits of an instant in seconds, for the next thousand years."""


def _item(span: str, reading: Reading) -> dict[str, Any]:
    named = {"span": span, "unit": unit_of(reading.metric)}
    return {**named, **asdict(reading), "at": moment(reading.at)}
