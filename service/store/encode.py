"""Values to and from the text columns: compact JSON, and alerts as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from service.domain.alerts.alert import Alert, AlertKind, AlertStatus

if TYPE_CHECKING:
    from service.ports import MessageRef


def dump(value: object) -> str:
    """Compact JSON text."""
    return to_json(value).decode()


def load(text: str | None) -> Any:
    """What `dump` wrote; None for no text."""
    return json.loads(text) if text else None


def dump_ref(ref: MessageRef | None) -> str | None:
    """Where a message is, as JSON text; None for no message."""
    return None if ref is None else dump(asdict(ref))


def load_ref(text: str | None) -> MessageRef | None:
    """What `dump_ref` wrote."""
    from service.ports import MessageRef  # noqa: PLC0415 - readers do not load the ports

    ref = load(text)
    return MessageRef(**ref) if ref else None


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


def load_alert(row: Mapping[str, Any]) -> Alert:
    """The alert of a stored episode, as it came, with the status that the episode has now."""
    body = load(row["body"])
    return Alert(
        source=row["source"],
        fingerprint=row["fingerprint"],
        status=AlertStatus.RESOLVED if row["resolved_at"] is not None else AlertStatus.FIRING,
        name=row["name"],
        kind=AlertKind(row["kind"]),
        labels=body["labels"],
        annotations=body["annotations"],
        values=body["values"],
        starts_at=_parsed(body["starts_at"]),
        ends_at=_parsed(body["ends_at"]),
        generator_url=body["generator_url"],
        links=body["links"],
        notes=tuple(body["notes"]),
    )


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
