"""Values from the text columns, as `service.store.encode` wrote them.

Apart from it, because whoever only reads need not load what makes JSON fast.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from service.domain.alerts.alert import Alert, AlertKind, AlertStatus

if TYPE_CHECKING:
    from service.ports import MessageRef


def load(text: str | None) -> Any:
    """What `dump` wrote; None for no text."""
    return json.loads(text) if text else None


def load_ref(text: str | None) -> MessageRef | None:
    """What `dump_ref` wrote."""
    from service.ports import MessageRef  # noqa: PLC0415 - readers do not load the ports

    ref = load(text)
    return MessageRef(**ref) if ref else None


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


def _parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
