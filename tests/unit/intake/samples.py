"""Payloads for the intake's tests: the saved ones by name, and small ones built on the spot."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.domain.alerts.alert import Alert, Notification
from service.intake.parse import parse_notification

PAYLOADS = Path(__file__).parents[2] / "payloads"
NOW = datetime(2026, 2, 3, 4, 6, tzinfo=UTC)
LABELS = {"alertname": "High CPU Usage", "severity": "warning"}


def saved(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def parse(body: bytes, content_type: str = "application/json") -> Notification:
    return parse_notification(body, source="main", content_type=content_type, received_at=NOW)


def parse_saved(name: str) -> Notification:
    return parse(saved(name))


def item(**changes: Any) -> dict[str, Any]:
    """One firing alert as Alertmanager lists it, with fields put in place of its own."""
    alert = {
        "status": "firing",
        "labels": LABELS,
        "annotations": {},
        "startsAt": "2026-02-03T04:05:06Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus-a:9090/graph",
        "fingerprint": "00000000000000aa",
    }
    return {**alert, **changes}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in item().items() if name != field}


def group(*items: object, **changes: Any) -> bytes:
    """An Alertmanager notification that lists these items."""
    envelope = {"version": "4", "receiver": "main", "groupKey": "{}:{}", "alerts": list(items)}
    return json.dumps({**envelope, **changes}).encode()


def only(notification: Notification) -> Alert:
    """The one alert of a notification in which nothing went wrong."""
    assert notification.quarantined == ()
    (alert,) = notification.alerts
    return alert
