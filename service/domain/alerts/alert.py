"""What a sender told us: notifications and the alerts in them.

Every payload format is mapped to these values, so that nothing after the intake has to know
who the sender was. See the wire contracts in docs/webhooks.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum


class AlertStatus(StrEnum):
    """Whether the sender says that the condition holds now."""

    FIRING = "firing"
    RESOLVED = "resolved"


class AlertKind(StrEnum):
    """What an alert may lead to; only a `CONDITION` may change anything."""

    CONDITION = "condition"
    TEST = "test"
    """A sender's test button: answered and shown, never acted on."""
    NO_DATA = "no_data"
    """It fires, and the sender measured no value. No data must never change anything."""
    DATASOURCE_ERROR = "datasource_error"
    """The sender could not evaluate its rule; treated like `NO_DATA`."""


WITHOUT_VALUE = "It fires without a value: nothing was measured, so nothing is changed on it."
"""The note on an alert that a format with values brought without one."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert within a notification, identified by (`source`, `fingerprint`).

    `name` is the alertname, or the original rule's name when the sender replaced it
    (`DatasourceNoData`); it is empty when the sender gave none. `starts_at` is None when the
    sender gives no times (Grafana legacy). `ends_at` is None while the alert fires.
    """

    source: str
    fingerprint: str
    status: AlertStatus
    name: str
    kind: AlertKind = AlertKind.CONDITION
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float | None] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""
    """Where the sender's rule can be seen: an http(s) address, or empty."""
    links: Mapping[str, str] = field(default_factory=dict)
    """More http(s) addresses by what they show: dashboard, panel, silence, image."""
    notes: tuple[str, ...] = ()
    """What was repaired to keep it or is odd about it, one sentence each (a NUL replaced, …)."""

    @property
    def firing(self) -> bool:
        """Whether the sender says that the condition holds now."""
        return self.status is AlertStatus.FIRING

    @property
    def measured(self) -> bool:
        """Whether its condition was measured, as far as its format can show that."""
        return self.kind is AlertKind.CONDITION


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An alert that could not be understood: kept as it came, with the reason, never acted on."""

    index: int
    """Its place in the notification's list, from 0."""
    reason: str
    raw: str
    """The alert as JSON text, cut to 64 KiB."""


class PayloadFormat(StrEnum):
    """The payload formats that are understood, told apart by content."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    GRAFANA_LEGACY = "grafana_legacy"

    @property
    def carries_values(self) -> bool:
        """Whether a measured alert brings its value. Alertmanager's format has no values."""
        return self is not PayloadFormat.ALERTMANAGER


@dataclass(frozen=True, slots=True)
class Notification:
    """One delivery by a sender, whatever its format.

    `source` names the configured sender (the last part of the webhook's path);
    `truncated` is how many alerts the sender left out (Alertmanager's max_alerts).
    """

    source: str
    format: PayloadFormat
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    external_url: str
    truncated: int
    alerts: tuple[Alert, ...]
    quarantined: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()


def young_until(alert: Alert, after: timedelta, now: float) -> float | None:
    """When the alert has fired for `after`; None where it has already, or does not say since when.

    `now` is in seconds since the epoch. A sender whose clock is ahead has its alert wait from now.
    """
    if not after or alert.starts_at is None:
        return None
    until = min(alert.starts_at.timestamp(), now) + after.total_seconds()
    return until if until > now else None


def without_value_unmeasured(alert: Alert, payload_format: PayloadFormat) -> Alert:
    """The alert, as `NO_DATA` where it fires without a value in a format that carries values.

    A data source that is down makes Grafana send such an alert under the rule's own name.
    """
    if not payload_format.carries_values or not (alert.firing and alert.measured):
        return alert
    if any(value is not None for value in alert.values.values()):
        return alert
    return replace(alert, kind=AlertKind.NO_DATA, notes=(*alert.notes, WITHOUT_VALUE))


def fingerprint_of_labels(labels: Mapping[str, str]) -> str:
    """The identity of an alert whose sender gave no fingerprint: a hash of all its labels.

    16 hexadecimal digits, like the senders' own, with an `h` before them so that it can never
    equal one of theirs.
    """
    return "h" + _digest(labels).hex()


def labels_hash(alert: Alert, payload_format: PayloadFormat) -> int:
    """63 bits that stand for the labels of an alert: those of a resolve are compared with it.

    In Grafana's legacy format only the rule's id: its other labels are the rule's tags, which may
    be edited while it fires.
    """
    legacy = payload_format is PayloadFormat.GRAFANA_LEGACY
    labels = {"": alert.labels.get("ruleId", "")} if legacy else alert.labels
    return int.from_bytes(_digest(labels), "big") >> 1


def _digest(labels: Mapping[str, str]) -> bytes:
    # No text of UTF-8 has this byte, so labels that differ never look the same.
    texts = [
        text.encode("utf-8", "surrogatepass")
        for name in sorted(labels)
        for text in (name, labels[name])
    ]
    return hashlib.blake2b(b"\xff".join([*texts, b""]), digest_size=8).digest()
