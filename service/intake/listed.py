"""One alert of a notification's list, as Alertmanager and Grafana both write it.

This is the hot path: a storm is thousands of these a second, so the ordinary alert takes no
detour, and what is repaired or remarked on costs only the alert that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.alerts.alert import Alert, AlertKind, AlertStatus, Quarantined
from service.intake import kinds
from service.intake.fields import (
    read_annotations,
    read_fingerprint,
    read_labels,
    read_link,
    read_moment,
    read_name,
    read_status,
)
from service.intake.refusal import UnusableAlertError
from service.intake.text import as_json, described, shown

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future an alert may have started before a note says that a clock is wrong."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of each alert of a notification beside the alert itself.

    `common_name` is the alertname that the sender says all of its alerts share; empty without one.
    """

    source: str
    received_at: datetime
    common_name: str = ""


@dataclass(frozen=True, slots=True)
class Extras:
    """What only Grafana tells about an alert."""

    values: Mapping[str, float | None]
    links: Mapping[str, str]


Reader = Callable[[Mapping[str, object], Delivery, list[str]], Alert]
"""Reads one alert; adds a sentence to the list for each repair."""


def take(
    items: Sequence[object], delivery: Delivery, read: Reader, repairs: Mapping[int, int]
) -> tuple[tuple[Alert, ...], tuple[Quarantined, ...]]:
    """Every alert that can be read, and every other one with its reason.

    `repairs` is how many characters were replaced in which item.
    """
    alerts: list[Alert] = []
    quarantined: list[Quarantined] = []
    for index, item in enumerate(items):
        try:
            notes = repair_notes(repairs.get(index, 0))
            alerts.append(read(_object(item), delivery, notes))
        except UnusableAlertError as error:
            quarantined.append(Quarantined(index, str(error), as_json(item)))
    return tuple(alerts), tuple(quarantined)


def _object(item: object) -> Mapping[str, object]:
    if not isinstance(item, dict):
        raise UnusableAlertError(f"The alert is {described(item)}, not an object.")
    return item


def repair_notes(replaced: int) -> list[str]:
    """The note that tells of replaced characters; no note for none."""
    if not replaced:
        return []
    what = "1 character" if replaced == 1 else f"{replaced} characters"
    return [f"{what} that cannot be stored (NUL, broken Unicode) became U+FFFD."]


def read_alert(
    item: Mapping[str, object],
    delivery: Delivery,
    notes: list[str],
    extras: Extras | None = None,
) -> Alert:
    """The alert in one item of the list; UnusableAlertError when it cannot be understood.

    Only the alert's own status counts: the group's is "firing" as long as one of it fires.
    """
    status = read_status(item.get("status"))
    labels = read_labels(item.get("labels"), "labels")
    if delivery.common_name and "alertname" not in labels:
        labels = {**labels, "alertname": delivery.common_name}
        notes.append("Its alertname is that of the notification's commonLabels.")
    annotations = read_annotations(item.get("annotations"), notes)
    starts_at = read_moment(item, "startsAt")
    ends_at = read_moment(item, "endsAt")
    kind = kinds.kind_of(labels, annotations, status)
    if kinds.STATE_REASON in annotations:
        notes.append(_reason_note(annotations, status, kind))
    if starts_at is not None and starts_at - delivery.received_at > CLOCK_SKEW:
        notes.append("It starts in the future: the sender's clock or ours is wrong.")
    return Alert(
        source=delivery.source,
        fingerprint=read_fingerprint(item.get("fingerprint"), labels, notes),
        status=status,
        name=read_name(kinds.name_of(labels), notes),
        kind=kind,
        labels=labels,
        annotations=annotations,
        values=extras.values if extras else {},
        starts_at=starts_at,
        ends_at=ends_at if status is AlertStatus.RESOLVED else None,
        generator_url=read_link(item, "generatorURL", notes),
        links=extras.links if extras else {},
        notes=tuple(notes),
    )


def _reason_note(annotations: Mapping[str, str], status: AlertStatus, kind: AlertKind) -> str:
    reasons = shown(", ".join(kinds.reasons_of(annotations)))
    if status is AlertStatus.RESOLVED:
        return f"Grafana resolved it for {reasons}, not because it measured that it is over."
    if kind is AlertKind.CONDITION:
        return f"Grafana gives {reasons} as the reason of its state."
    return f"Grafana reports it as firing for {reasons}, not because it measured the condition."
