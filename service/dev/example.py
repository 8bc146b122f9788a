"""The example alert: what the banner's curl sends, so that the first minute shows the main job."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime

ALERT_NAME = "High CPU Usage"


def example_notification(now: float) -> str:
    """High CPU on the API as an Alertmanager (webhook version 4) would tell it; one line of JSON.

    `now` in seconds since the epoch.
    """
    labels = {"alertname": ALERT_NAME, "service": "api", "severity": "warning"}
    annotations = {"summary": "avg CPU 91% for 5m"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "example000000001",
    }
    body = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{ALERT_NAME}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "runbookd",
        "groupLabels": {"alertname": ALERT_NAME},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }
    return json.dumps(body, separators=(",", ":"))


def example_curl(base_url: str, now: float, *, secret_needed: bool) -> str:
    """A command for any shell that posts the example alert."""
    header = " -H 'Authorization: Bearer YOUR_TOKEN'" if secret_needed else ""
    return (
        f"curl -sS {base_url}/webhooks/alertmanager -H 'Content-Type: application/json'{header}"
        f" -d {shlex.quote(example_notification(now))}"
    )
