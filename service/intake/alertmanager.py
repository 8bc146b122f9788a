"""Alertmanager's payload, version "4", and the envelope that Grafana's shares with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from service.domain.alerts.alert import Alert, Notification, PayloadFormat
from service.intake.decode import Document
from service.intake.detect import ALERTMANAGER_VERSION
from service.intake.listed import Delivery, Reader, read_alert, repair_notes, take
from service.intake.refusal import PayloadRefused
from service.intake.text import described, unescaped

MAX_ALERTS = 100_000
"""Alerts in one notification: ten times the largest groups seen in the field (wire contract,
alertmanager#2274), and few enough that the process that reads them survives it."""

_MAX_TRUNCATED = 2**31 - 1


def read(document: Document, delivery: Delivery) -> Notification:
    """The notification in an Alertmanager payload; PayloadRefused (422) when there is none.

    An unknown version is read in the same way, and noted: the fields that matter have been the
    same since version 4, and a lost alert is worse than a field that came to nothing.
    """
    notes = []
    if document.payload.get("version") != ALERTMANAGER_VERSION:
        notes.append('The payload says no known version; it was read as Alertmanager\'s "4".')
    return read_envelope(document, delivery, PayloadFormat.ALERTMANAGER, read_alert, notes)


def read_envelope(
    document: Document,
    delivery: Delivery,
    payload_format: PayloadFormat,
    reader: Reader,
    notes: list[str],
) -> Notification:
    """The envelope around a list of alerts, each of them read by `reader`."""
    payload = document.payload
    # Written out, because `dataclasses.replace` takes as long as reading an alert's dates.
    delivery = Delivery(
        delivery.source,
        delivery.received_at,
        _common_name(payload.get("commonLabels")),
        payload.get("status"),
    )
    alerts, quarantined = take(_items(payload), delivery, reader, document.repairs)
    notes += repair_notes(document.repairs_elsewhere)
    return Notification(
        source=delivery.source,
        format=payload_format,
        receiver=unescaped(_text(payload, "receiver", notes)),
        group_key=_text(payload, "groupKey", notes),
        group_labels=_group_labels(payload.get("groupLabels"), notes),
        external_url=_text(payload, "externalURL", notes),
        truncated=_truncated(payload.get("truncatedAlerts"), notes),
        alerts=alerts,
        quarantined=quarantined,
        notes=tuple(notes),
    )


def silence_link(alert: Alert, notification: Notification) -> str:
    """Where a person silences an alert at its Alertmanager; empty where that is not known.

    Grafana names the address itself, among the alert's links.
    """
    base = notification.external_url.rstrip("/")
    if notification.format is not PayloadFormat.ALERTMANAGER or not base:
        return ""
    matchers = ",".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in sorted(alert.labels.items())
    )
    return f"{base}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}"


def _items(payload: Mapping[str, object]) -> list[object]:
    if "alerts" not in payload:
        raise PayloadRefused(
            422,
            "The JSON object has no `alerts` (Alertmanager, Grafana) and is no Grafana legacy "
            "notification (`ruleId` and `evalMatches`) either.",
        )
    items = payload["alerts"]
    if not isinstance(items, list):
        raise PayloadRefused(422, f"`alerts` is {described(items)}, not a list.")
    if len(items) > MAX_ALERTS:
        raise PayloadRefused(
            422, f"The notification lists more than {MAX_ALERTS} alerts: set max_alerts."
        )
    return items


def _text(payload: Mapping[str, object], field: str, notes: list[str]) -> str:
    value = payload.get(field)
    if isinstance(value, str):
        return value
    if value is not None:
        notes.append(f"`{field}` was {described(value)}, not a string, and was left out.")
    return ""


def _common_name(value: object) -> str:
    name = value.get("alertname") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _group_labels(value: object, notes: list[str]) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.append(f"`groupLabels` was {described(value)}, not an object, and was left out.")
        return {}
    labels = {name: label for name, label in value.items() if isinstance(label, str)}
    if len(labels) < len(value):
        notes.append("Group labels that were not strings were left out.")
    return labels


def _truncated(value: object, notes: list[str]) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        notes.append("`truncatedAlerts` was not a count and was taken as 0.")
        return 0
    return min(value, _MAX_TRUNCATED)
