"""Stored alerts as they came in, to be decided on again; and a transaction that cannot write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from service.domain.alerts.alert import (
    Alert,
    AlertStatus,
    Notification,
    PayloadFormat,
    without_value_unmeasured,
)
from service.ports.admission import NewRun
from service.store import schema
from service.store.admissions import SqlTransaction
from service.store.database import translated
from service.store.decode import load, load_alert

_a, _d, _n = schema.alerts.c, schema.decisions.c, schema.deliveries.c


class Replays:
    """Reads what a replay needs. Every method raises StoreUnavailable when the database cannot
    be used."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def notifications(self, alert_ids: Sequence[str]) -> list[Notification]:
        """The alerts, regrouped as they were delivered. All are presented as firing, as they were
        when they were taken."""
        with translated(), self._engine.connect() as connection:
            return [each.notification for each in stored_notifications(connection, alert_ids)]

    def stored(self, alert_ids: Sequence[str]) -> list[StoredNotification]:
        """The same, each with who sent it."""
        with translated(), self._engine.connect() as connection:
            return stored_notifications(connection, alert_ids)

    @contextmanager
    def reading(self) -> Iterator[SqlTransaction]:
        """A transaction of admission in which the database itself refuses every write."""
        with translated(), self._engine.connect() as connection:
            sqlite = connection.dialect.name == "sqlite"
            connection.exec_driver_sql(
                "PRAGMA query_only=ON" if sqlite else "SET TRANSACTION READ ONLY"
            )
            try:
                yield SqlTransaction(connection, _refuse)
            finally:
                connection.rollback()
                if sqlite:
                    connection.exec_driver_sql("PRAGMA query_only=OFF")


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification on record, with the id of its delivery and who sent it."""

    delivery: str
    notification: Notification
    credential: str
    address: str


def stored_notifications(
    connection: sa.Connection, alert_ids: Sequence[str]
) -> list[StoredNotification]:
    """These alerts as firing, regrouped as they were delivered: the oldest delivery first, and in
    each the alerts in order."""
    envelope = (_n.format, _n.receiver, _n.group_key, _n.group_labels, _n.credential, _n.address)
    query = (
        sa.select(schema.alerts, *envelope)
        .join(schema.deliveries, _n.id == _a.delivery)
        .where(_a.id.in_(list(alert_ids)))
        .order_by(_a.delivery, _a.id)
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        groups.setdefault(row["delivery"], []).append(dict(row))
    return [
        StoredNotification(
            delivery,
            _notification(group),
            group[0]["credential"] or "",
            group[0]["address"] or "",
        )
        for delivery, group in groups.items()
    ]


def _refuse(_connection: sa.Connection, run: NewRun) -> None:
    raise RuntimeError(f"a preview may not queue {run.request.id}")


def _notification(rows: Sequence[dict[str, Any]]) -> Notification:
    first = rows[0]
    payload_format = PayloadFormat(first["format"])
    return Notification(
        source=first["source"],
        format=payload_format,
        receiver=first["receiver"],
        group_key=first["group_key"],
        group_labels=load(first["group_labels"]),
        external_url="",
        truncated=0,
        alerts=tuple(_as_firing(load_alert(row), payload_format) for row in rows),
    )


def _as_firing(alert: Alert, payload_format: PayloadFormat) -> Alert:
    """As it was taken; what an earlier version stored without a value is unmeasured by now."""
    firing = replace(alert, status=AlertStatus.FIRING, ends_at=None)
    return without_value_unmeasured(firing, payload_format)
