"""Values to the text columns: compact JSON and alerts; `service.store.decode` reads them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic_core import to_json

from service.domain.alerts.alert import Alert

if TYPE_CHECKING:
    from service.ports import MessageRef


def dump(value: object) -> str:
    """Compact JSON text."""
    return to_json(value).decode()


def dump_ref(ref: MessageRef | None) -> str | None:
    """Where a message is, as JSON text; None for no message."""
    return None if ref is None else dump(asdict(ref))


def dump_alert(alert: Alert) -> str:
    """The parts of an alert that have no column of their own."""
    return dump(
        {
            "labels": alert.labels,
            "annotations": alert.annotations,
            "values": alert.values,
            "starts_at": _moment(alert.starts_at),
            "ends_at": _moment(alert.ends_at),
            "generator_url": alert.generator_url,
            "links": alert.links,
            "notes": alert.notes,
        }
    )


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
