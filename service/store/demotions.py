"""Rules that have demoted themselves, in SQL: a row for each demotion, one in force for a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa

from service.domain.decisions.demoted import Demotion
from service.domain.decisions.demotion import next_mode, why_demoted
from service.domain.decisions.expected import PENDING
from service.domain.decisions.policy import careful
from service.domain.decisions.requests import Request
from service.ports.controls import Beside
from service.ports.runs import Bell
from service.store import schema
from service.store.bulk import Statement
from service.store.database import begin_writing, translated
from service.store.ids import new_id
from service.store.recent import recent_decisions

_m, _o = schema.demotions.c, schema.outcomes.c
_a, _d = schema.alerts.c, schema.decisions.c
_NAMES = tuple(field.name for field in fields(Demotion))
_FIELDS = [_m[name] for name in _NAMES]
BY_ITSELF = "runbookd"
DEMOTIONS = Statement(f"SELECT {', '.join(_NAMES)} FROM demotions WHERE ended_at IS NULL", ())  # noqa: S608 - only our own names
"""The fields of a `Demotion`, in order, of those in force."""

_ONE_DEMOTES = sa.text("SELECT pg_advisory_xact_lock(0x72756e64)")
"""A demotion counts rows, so two must not count at once. SQLite has one writer anyway."""


def demotions_of(rows: Sequence[tuple[object, ...]]) -> dict[str, Demotion]:
    """Those in force, by rule."""
    found = [Demotion(*row) for row in rows]  # type: ignore[arg-type]  # the columns' own types
    return {each.rule: each for each in found}


def demote_if_below(connection: sa.Connection, request: Request, now: float) -> None:
    """Demote the rule of a change that was just judged, where too few of its last ones cleared.

    Only what was judged since the rule was last demoted or promoted counts.
    """
    expected, rule = request.policy.expected, request.origin.by
    slo = None if expected is None else expected.slo
    if slo is None:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_DEMOTES)
    began = sa.select(sa.func.max(_m.since), sa.func.max(_m.ended_at)).where(_m.rule == rule)
    since = max((at for at in connection.execute(began).one() if at is not None), default=0.0)
    judged = (
        sa.select(_o.result)
        .where(_o.rule == rule, _o.result != PENDING, _o.judged_at > since)
        .order_by(_o.judged_at.desc(), _o.run.desc())
        .limit(slo.of)
    )
    results = list(connection.execute(judged).scalars())
    in_force = sa.select(_m.mode).where(_m.rule == rule, _m.ended_at.is_(None))
    modes = [request.policy.mode, *connection.execute(in_force).scalars()]
    mode = next_mode(slo, results, careful(modes))
    if mode is None:
        return
    former = sa.update(schema.demotions).where(_m.rule == rule, _m.ended_at.is_(None))
    connection.execute(former.values(ended_at=now, ended_by=BY_ITSELF))
    row = {"id": new_id("m"), "rule": rule, "mode": mode, "since": now}
    connection.execute(sa.insert(schema.demotions), {**row, "why": why_demoted(slo, results)})


class DemotionStore:
    """The table of demotions."""

    def __init__(self, engine: sa.Engine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell

    def in_force(self) -> dict[str, Demotion]:
        """Those that nobody has ended, by rule."""
        return {each.rule: each for each in self._read(_m.ended_at.is_(None))}

    def untold(self) -> list[Demotion]:
        """Those of which people were not told yet."""
        return self._read(_m.told.is_(None))

    def told(self, demotion: str, now: float) -> None:
        """People were told."""
        change = sa.update(schema.demotions).where(_m.id == demotion).values(told=now)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(change)

    def end(self, rule: str, who: str, now: float, beside: Beside) -> Demotion | None:
        """Promote a rule; the alerts that fire and that it decided on lately are due."""
        end = (
            sa.update(schema.demotions)
            .where(_m.rule == rule, _m.ended_at.is_(None))
            .values(ended_at=now, ended_by=who)
            .returning(*_FIELDS)
        )
        recent = sa.select(recent_decisions(_d.rule == rule).c.alert)
        due = sa.update(schema.alerts).where(_a.open, _a.newest, _a.id.in_(recent))
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            row = connection.execute(end).one_or_none()
            if row is None:
                return None
            connection.execute(due.values(due_at=now))
            self._bell.within(connection)
            beside(connection)
        self._bell.committed()
        return Demotion(*row)

    def _read(self, wanted: sa.ColumnElement[bool]) -> list[Demotion]:
        query = sa.select(*_FIELDS).where(wanted).order_by(_m.since, _m.id)
        with translated(), self._engine.connect() as connection:
            return [Demotion(*row) for row in connection.execute(query)]
