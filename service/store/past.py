"""The episodes on record, for a backtest: read a piece at a time, and nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from service.domain.alerts.alert import (
    Alert,
    AlertStatus,
    Notification,
    PayloadFormat,
    without_value_unmeasured,
)
from service.domain.backtests.past import Past
from service.domain.decisions.present import Passed, State, present_state
from service.store import schema
from service.store.database import translated
from service.store.decode import load, load_alert
from service.store.pages import id_at

AT_ONCE = 1_000
"""Episodes of one statement. No transaction lasts for longer than one, because a reader that stays
would keep SQLite's log from being cleared."""
_SLACK_S = 600.0
"""As in `service.store.queries`: an alert's id is made moments after its first notification."""

_a, _d, _e = schema.alerts.c, schema.deliveries.c, schema.unmeasured_ends.c
_r, _s = schema.runs.c, schema.run_steps.c


class PastStore:
    """Reads what was. Every method raises StoreUnavailable when the database cannot be used."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def episodes(self, since: float, until: float) -> Iterator[Past]:
        """Those that began from `since` on and before `until`, in the order of their ids. What a
        person had replayed is not among them."""
        after = id_at("a", since - _SLACK_S)
        while rows := self._rows(after, since, until):
            for row in rows:
                yield _episode(row)
            after = rows[-1]["id"]

    def states(self, targets: Collection[str], at: float) -> dict[str, State]:
        """How each target was at a moment, as far as runs tell: the last one that ended before it,
        else what the first one after it found."""
        found: dict[str, State] = {}
        for target in targets:
            before = self._runs(target, _r.ended_at <= at, _r.ended_at.desc())
            known = present_state(before)
            if known is not None:
                found[target] = known.state
                continue
            after = self._runs(target, _r.ended_at > at, _r.ended_at)
            saw = next((each.saw for each in after if each.saw), None)
            if saw:
                found[target] = saw
        return found

    def _rows(self, after: str, since: float, until: float) -> list[Mapping[str, Any]]:
        query = (
            sa.select(
                schema.alerts,
                _d.format,
                _d.receiver,
                _d.group_key,
                _d.group_labels,
                _d.credential,
                _d.address,
                _e.reason.label("ended_because"),
            )
            .join(schema.deliveries, _d.id == _a.delivery)
            .outerjoin(schema.unmeasured_ends, _e.alert == _a.id)
            .where(_a.id > after, _a.first_seen >= since, _a.first_seen < until)
            .where(_a.id < id_at("a", until + _SLACK_S), ~_d.replay)
            .order_by(_a.id)
            .limit(AT_ONCE)
        )
        with translated(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _runs(
        self, target: str, when: sa.ColumnElement[bool], order: sa.ColumnElement[Any]
    ) -> list[Passed]:
        looked = sa.and_(_s.run == _r.id, _s.name == "prepare")
        wrote = sa.exists().where(schema.intents.c.run == _r.id)
        query = (
            sa.select(_r.id, _r.status, _r.ended_at, _r.plan, wrote.label("wrote"))
            .add_columns(_s.detail, _s.ended_at.label("saw_at"))
            .outerjoin(schema.run_steps, looked)
            .where(_r.target == target, when)
            .order_by(order)
            .limit(_LOOKED_AT)
        )
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Passed(
                id=row["id"],
                status=row["status"],
                ended_at=row["ended_at"],
                plan=load(row["plan"]),
                wrote=bool(row["wrote"]),
                saw=(load(row["detail"]) or {}).get("seen") or None,
                saw_at=row["saw_at"],
            )
            for row in rows
        ]


_LOOKED_AT = 20
"""Runs of a target that are looked at for its state: most tell it."""


def _episode(row: Mapping[str, Any]) -> Past:
    payload_format = PayloadFormat(row["format"])
    alert = without_value_unmeasured(_as_firing(load_alert(row)), payload_format)
    return Past(
        id=row["id"],
        alert=alert,
        notification=Notification(
            source=row["source"],
            format=payload_format,
            receiver=row["receiver"],
            group_key=row["group_key"],
            group_labels=load(row["group_labels"]),
            external_url="",
            truncated=0,
            alerts=(),
        ),
        delivery=row["delivery"],
        credential=row["credential"] or "",
        address=row["address"] or "",
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        resolved_at=row["resolved_at"],
        open=bool(row["open"]),
        seen=row["times_seen"],
        ended_because=row["ended_because"] or "",
    )


def _as_firing(alert: Alert) -> Alert:
    return replace(alert, status=AlertStatus.FIRING, ends_at=None)
