"""Notifications as the senders write them, for tests of the way in."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def alert(fingerprint: str = "00000000000000a1", **changes: Any) -> Json:
    """One firing alert of Alertmanager's."""
    return {
        "status": "firing",
        "labels": {"alertname": "High CPU Usage", "instance": "api-1"},
        "annotations": {"summary": "CPU above 80%"},
        "startsAt": "2026-01-01T09:28:15.481Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": fingerprint,
        **changes,
    }


def named(name: str, fingerprint: str, **changes: Any) -> Json:
    """One alert by its name."""
    return alert(fingerprint, labels={"alertname": name}, **changes)


def notification(*alerts: Json, **changes: Any) -> Json:
    """A group of Alertmanager's."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="High CPU Usage"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "runbookd",
        "groupLabels": {"alertname": "High CPU Usage"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
        **changes,
    }


LEGACY: Json = {
    "title": "[Alerting] High CPU Usage",
    "ruleId": 7,
    "ruleName": "High CPU Usage",
    "state": "alerting",
    "evalMatches": [{"value": 93.0, "metric": "cpu", "tags": None}],
    "orgId": 1,
    "dashboardId": 1,
    "panelId": 1,
    "tags": {},
}


def unified() -> Json:
    """Grafana's own format."""
    return notification(
        {**alert("00000000000000b1"), "values": {"A": 93.0}, "valueString": ""},
        version="1",
        orgId=1,
        state="alerting",
        title="",
        message="",
    )
