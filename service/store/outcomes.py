"""What became of verified changes, in SQL: written as a run ends, judged by the workers' rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from service.catalogue.request_json import load_request
from service.domain.decisions.expected import (
    CLEARED,
    IN_VAIN,
    LOOK_EVERY_S,
    PENDING,
    Judged,
    Sequel,
)
from service.domain.decisions.guards import RESOLVED
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import PERSON, Request
from service.ports.outcomes import Outcome
from service.store import schema
from service.store.bulk import chunks
from service.store.database import begin_writing, translated
from service.store.decode import load
from service.store.demotions import demote_if_below
from service.store.recent import recent_decisions

_o, _oa, _r = schema.outcomes.c, schema.outcome_alerts.c, schema.runs.c
_a, _d = schema.alerts.c, schema.decisions.c
_n = schema.alerts.alias("newest_one").c
_JUDGED = tuple(field.name for field in fields(Judged))
_MOST_ALERTS = 1_000
"""Alerts by which a change is judged at most."""


def keep_outcome(
    connection: sa.Connection, run_id: str, pinned: dict[str, Any], began_at: float, now: float
) -> None:
    """Keep that a run has verified its change, where alerts asked for it and its rule expects
    something of it. `pinned` is its request as it is stored, `began_at` when it was queued.

    What a person has undone is not judged: nobody can say any more whether it helped.
    """
    if pinned.get("expects") and pinned["origin"]["kind"] == PERSON:
        _forget_pending(connection, pinned["parent"])
    if not (pinned.get("policy") or {}).get("expected"):
        return
    request = load_request(pinned)
    expected = request.policy.expected
    if expected is None or request.on is None or not request.origin.needs_alert:
        return
    alerts = _asked(connection, request, began_at)
    if not alerts:
        return
    due_at = now + request.settle_s + expected.within_s
    row = {
        "run": run_id,
        "rule": request.origin.by,
        "target": request.on.name,
        "direction": request.direction,
        "asked_at": min(alerts.values()),
        "ended_at": now,
        "due_at": due_at,
        "result": PENDING,
        "next_at": min(now + LOOK_EVERY_S, due_at),
        "counts": False,
    }
    connection.execute(sa.insert(schema.outcomes), row)
    asked = [{"run": run_id, "alert": alert} for alert in sorted(alerts)]
    connection.execute(sa.insert(schema.outcome_alerts), asked)


def _forget_pending(connection: sa.Connection, run: str) -> None:
    pending = sa.select(_o.run).where(_o.run == run, _o.result == PENDING)
    if connection.execute(pending).first() is not None:
        connection.execute(sa.delete(schema.outcome_alerts).where(_oa.run == run))
        connection.execute(sa.delete(schema.outcomes).where(_o.run == run))


def _asked(connection: sa.Connection, request: Request, began_at: float) -> dict[str, float]:
    """The episodes that asked for a run, each with when it was first seen: those that it was queued
    for, and those that the same rule has held because of it since."""
    recent = recent_decisions(_d.target == request.target.name, _d.direction == request.direction)
    held = sa.select(recent.c.alert).where(
        recent.c.rule == request.origin.by,
        recent.c.guard != RESOLVED,
        recent.c.last_at >= began_at,
    )
    ids = dict.fromkeys([*request.origin.alerts, *connection.execute(held).scalars()])
    found: dict[str, float] = {}
    for some in chunks(list(ids)[:_MOST_ALERTS]):
        query = sa.select(_a.id, _a.first_seen).where(_a.id.in_(some))
        found |= {row.id: row.first_seen for row in connection.execute(query)}
    return found


_COUNTS: sa.ColumnElement[bool] = sa.literal_column("counts")
"""In the words of the partial index: SQLite would not know it in `counts = 1`."""
_STILL_FIRES = sa.exists().where(_oa.run == _o.run, _oa.alert == _a.id, _a.open)
_earlier = schema.outcomes.alias("earlier").c
_BEGIN_ANEW = (
    sa.update(schema.outcomes)
    .where(
        _COUNTS,
        sa.exists().where(
            _earlier.run == sa.bindparam("of"),
            _earlier.rule == _o.rule,
            _earlier.target == _o.target,
            _earlier.direction == _o.direction,
        ),
    )
    .values(counts=False, next_at=None)
)
"""A change that has cleared its alerts ends the row of those before it."""
COUNTED = (
    "SELECT rule, target, run FROM outcomes WHERE counts AND EXISTS (SELECT 1 FROM outcome_alerts "
    "JOIN alerts ON alerts.id = outcome_alerts.alert WHERE outcome_alerts.run = outcomes.run AND "
    "alerts.open) AND rule"
)
"""The head of admission's look-up, by rules: their changes without effect that count now."""
COUNTED_ORDER = "ORDER BY ended_at, run"


class OutcomeStore:
    """The table of outcomes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, now: float, again_s: float, limit: int) -> list[Outcome]:
        """Reserve what is to be looked at, and read it with its alerts."""
        due = (
            sa.select(_o.run)
            .where(_o.next_at <= now)
            .order_by(_o.next_at, _o.run)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            runs = list(connection.execute(due).scalars())
            if not runs:
                return []
            taken = sa.update(schema.outcomes).where(_o.run.in_(runs))
            connection.execute(taken.values(next_at=now + again_s))
            return _read(connection, runs)

    def keep(self, run: str, judged: Judged, now: float) -> bool:
        """Keep what was seen, where nobody has judged it differently meanwhile."""
        known = sa.select(_o.result, _o.counts).where(_o.run == run).with_for_update()
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            before = connection.execute(known).one_or_none()
            if before is None or before.result not in (PENDING, judged.result):
                return False
            first = before.result == PENDING and judged.result != PENDING
            if judged.counts and not (before.counts or first):
                return False  # a change after it has cleared its alerts
            values = {name: getattr(judged, name) for name in _JUDGED}
            if first:
                values["judged_at"] = now
            change = sa.update(schema.outcomes).where(_o.run == run)
            connection.execute(change.values(**values))
            if first:
                ask = connection.execute(sa.select(_r.ask).where(_r.id == run)).scalar_one()
                demote_if_below(connection, load_request(load(ask)), now)
            if cleared := first and judged.result == CLEARED:
                connection.execute(_BEGIN_ANEW, {"of": run})
            if cleared or (before.counts and not judged.counts):
                _lift_hold(connection, run, now)
        return True

    def in_vain(self, rule: str, target: str, direction: str) -> list[Outcome]:
        """The last changes that had no effect in a row, and of which an alert fires, oldest
        first."""
        with translated(), self._engine.connect() as connection:
            query = sa.select(_o.run).where(
                _COUNTS, _STILL_FIRES, _o.rule == rule, _o.target == target
            )
            runs = list(connection.execute(query.where(_o.direction == direction)).scalars())
            return _read(connection, runs) if runs else []


def _read(connection: sa.Connection, runs: Sequence[str]) -> list[Outcome]:
    """These outcomes with their alerts, in the order in which the runs ended."""
    alerts = _alerts(connection, runs)
    query = (
        sa.select(schema.outcomes, _r.ask, _r.plan)
        .join(schema.runs, _r.id == _o.run)
        .where(_o.run.in_(runs))
        .order_by(_o.ended_at, _o.run)
    )
    rows = connection.execute(query).mappings().all()
    return [_outcome(row, alerts.get(row["run"], {})) for row in rows]


def _lift_hold(connection: sa.Connection, run: str, now: float) -> None:
    """Have the alerts judged again that are held because the rule has given up, once it no longer
    has: they need not wait for their sender."""
    found = connection.execute(sa.select(schema.outcomes).where(_o.run == run)).mappings().one()
    same = (_o.rule == found["rule"], _o.target == found["target"])
    if connection.execute(sa.select(_o.run).where(_COUNTS, *same).limit(1)).first() is not None:
        return
    recent = recent_decisions(_d.target == found["target"], _d.direction == found["direction"])
    held = sa.select(recent.c.alert).where(
        recent.c.rule == found["rule"], recent.c.guard == IN_VAIN
    )
    due = sa.update(schema.alerts).where(_a.open, _a.newest, _a.id.in_(held))
    connection.execute(due.values(due_at=now))


def _alerts(connection: sa.Connection, runs: Iterable[str]) -> dict[str, dict[str, Sequel]]:
    """The episodes that asked for each of these runs, and how it went on with them."""
    query = (
        sa.select(
            _oa.run,
            _a.id,
            _a.open,
            _a.resolved_at,
            _n.id.label("newest_id"),
            _n.open.label("again_open"),
            _n.first_seen.label("again_at"),
            _n.resolved_at.label("again_ended_at"),
        )
        .join(schema.alerts, _a.id == _oa.alert)
        .join(
            _n.id.table,
            sa.and_(_n.identity == _a.identity, sa.literal_column("newest_one.newest")),
        )
        .where(_oa.run.in_(list(runs)))
        .order_by(_oa.run, _a.id)
    )
    found: dict[str, dict[str, Sequel]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["run"], {})[row["id"]] = _sequel(row)
    return found


def _sequel(row: sa.RowMapping) -> Sequel:
    resolved_at = None if row["open"] else row["resolved_at"]
    again_at, ended_at = row["again_at"], row["again_ended_at"]
    # What a replay begins is over at once, and no sender has said that it fires.
    fired = row["again_open"] or (ended_at or 0.0) > again_at
    if row["newest_id"] == row["id"] or not fired:
        return Sequel(resolved_at)
    return Sequel(resolved_at, again_at, None if row["again_open"] else ended_at)


def _outcome(row: sa.RowMapping, alerts: dict[str, Sequel]) -> Outcome:
    plan = load(row["plan"])
    return Outcome(
        run=row["run"],
        request=load_request(load(row["ask"])),
        plan=Plan.from_json(plan) if plan else None,
        asked_at=row["asked_at"],
        judged=Judged(**{name: row[name] for name in _JUDGED}),
        alerts=tuple(alerts),
        sequels=tuple(alerts.values()),
    )
