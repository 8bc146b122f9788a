"""Grafana's legacy alerting (version 8 and before): one rule, one alert, no times.

The sender gives no fingerprint and no labels of its own, so both are made here: an alert is
identified by (source, orgId, ruleId), and its labels are the rule's tags and its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.domain.alerts.alert import (
    Alert,
    AlertKind,
    AlertStatus,
    Notification,
    PayloadFormat,
    without_value_unmeasured,
)
from service.intake.decode import Document
from service.intake.fields import read_labels, read_link, read_name
from service.intake.listed import Delivery, repair_notes, take
from service.intake.refusal import UnusableAlertError
from service.intake.text import described, shown
from service.intake.values import numbered, read_value

_STATES = {
    "alerting": AlertStatus.FIRING,
    "no_data": AlertStatus.FIRING,
    "ok": AlertStatus.RESOLVED,
}
_QUIET_STATES = frozenset({"paused", "pending", "unknown"})
_INT64 = 2**63


def read(document: Document, delivery: Delivery) -> Notification:
    """The notification in a legacy payload; an unusable one is quarantined like any alert.

    A rule that is paused, pending or unknown neither fires nor has ended: the notification is
    kept with a note and without an alert.
    """
    payload = document.payload
    state = payload.get("state")
    replaced = document.repairs_elsewhere + sum(document.repairs.values())
    quiet = isinstance(state, str) and state in _QUIET_STATES
    items = [] if quiet else [dict(payload)]
    alerts, quarantined = take(items, delivery, _alert, {0: replaced})
    notes = [f"The rule is {state}: it neither fires nor has ended."] if quiet else []
    return Notification(
        source=delivery.source,
        format=PayloadFormat.GRAFANA_LEGACY,
        receiver="",
        group_key="",
        group_labels={},
        external_url="",
        truncated=0,
        alerts=alerts,
        quarantined=quarantined,
        notes=(*notes, *(repair_notes(replaced) if quiet else ())),
    )


def _alert(payload: Mapping[str, object], delivery: Delivery, notes: list[str]) -> Alert:
    status = _status(payload.get("state"))
    org = _identifier(payload.get("orgId", 0), "orgId")
    rule = _identifier(payload.get("ruleId"), "ruleId")
    name = read_name(_text(payload, "ruleName"), notes)
    tags = read_labels(payload.get("tags"), "tags")
    matches = _matches(payload.get("evalMatches"), notes)
    alert = Alert(
        source=delivery.source,
        fingerprint=f"legacy-{org}-{rule}",
        status=status,
        name=name,
        kind=_kind(payload),
        labels={**tags, "alertname": name, "ruleId": str(rule)},
        annotations=_annotations(payload),
        values=numbered(_values(matches)),
        generator_url=_either_link(payload, "ruleUrl", "rule_url", notes),
        links=_image(payload, notes),
        notes=tuple(notes),
    )
    return without_value_unmeasured(alert, PayloadFormat.GRAFANA_LEGACY)


def _status(state: object) -> AlertStatus:
    status = _STATES.get(state) if isinstance(state, str) else None
    if status is None:
        given = shown(state) if isinstance(state, str) else described(state)
        raise UnusableAlertError(f"`state` is {given}, none that Grafana legacy sends.")
    return status


def _identifier(value: object, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise UnusableAlertError(f"`{field}` is {described(value)}, not a whole 64-bit number.")
    return value


def _text(payload: Mapping[str, object], field: str) -> str:
    value = payload.get(field)
    return value if isinstance(value, str) else ""


def _matches(value: object, notes: list[str]) -> list[Mapping[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list):
        notes.append(f"`evalMatches` was {described(value)}, not a list, and was left out.")
        return []
    matches: list[Mapping[str, object]] = [match for match in value if isinstance(match, dict)]
    if len(matches) < len(value):
        notes.append("What was not an object in `evalMatches` was left out.")
    return matches


def _kind(payload: Mapping[str, object]) -> AlertKind:
    if payload.get("state") == "no_data":
        return AlertKind.NO_DATA
    return AlertKind.TEST if _is_test(payload) else AlertKind.CONDITION


def _is_test(payload: Mapping[str, object]) -> bool:
    """Grafana's test button; its ruleId is 0 in early versions and random in later ones."""
    message = _text(payload, "message").lower()
    return _text(payload, "ruleName") == "Test notification" and message.startswith(
        "someone is testing the alert notification within grafana"
    )


def _annotations(payload: Mapping[str, object]) -> dict[str, str]:
    texts = {"summary": _text(payload, "title"), "description": _text(payload, "message")}
    return {name: text for name, text in texts.items() if text}


def _values(matches: Sequence[Mapping[str, object]]) -> list[tuple[str, float | None]]:
    """The measured values, one for each series, by metric."""
    return [(_text(match, "metric"), read_value(match.get("value"))) for match in matches]


def _either_link(
    payload: Mapping[str, object], field: str, early_field: str, notes: list[str]
) -> str:
    return read_link(payload, field if field in payload else early_field, notes)


def _image(payload: Mapping[str, object], notes: list[str]) -> dict[str, str]:
    link = _either_link(payload, "imageUrl", "image_url", notes)
    return {"image": link} if link else {}
