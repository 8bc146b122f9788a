"""The fields of one alert: what makes it unusable, and what is repaired instead.

A field that rules or times depend on makes the alert unusable when it is wrong; a field that
only people read is repaired with a note, for no decoration is worth losing an alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from service.domain.alerts.alert import AlertStatus, fingerprint_of_labels
from service.intake.refusal import UnusableAlertError
from service.intake.text import as_json, described, linkable, shown
from service.intake.times import read_time

MAX_FINGERPRINT = 128
"""Characters of a sender's fingerprint that are taken as one; the real ones have 16. A longer
one would not fit into PostgreSQL's index and would fail each time it is sent."""

MAX_NAME = 500
"""Characters of an alert's name, for the same reason (2,000 bytes in the worst case)."""

_TEXT = frozenset({str})
_STATUS = {status.value: status for status in AlertStatus}


def read_status(value: object, envelope: object, notes: list[str]) -> AlertStatus:
    """The alert's own status, or the envelope's where it has none; anything but the two words is
    unusable.

    The envelope's is "firing" as long as one of its alerts fires, so it counts for no alert that
    says its own.
    """
    if value is None and isinstance(envelope, str) and envelope in _STATUS:
        notes.append("It has no `status`; that of the notification stands for it.")
        value = envelope
    status = _STATUS.get(value) if isinstance(value, str) else None
    if status is None:
        given = shown(value) if isinstance(value, str) else described(value)
        raise UnusableAlertError(f"`status` is {given}, neither firing nor resolved.")
    return status


def read_labels(value: object, field: str) -> dict[str, str]:
    """Labels as they came, without those that are null; unusable unless each of the others is a
    string, because rules match on them."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnusableAlertError(f"`{field}` is {described(value)}, not an object of strings.")
    if _only_text(value):
        return value
    value = {name: label for name, label in value.items() if label is not None}
    for name, label in value.items():
        if not isinstance(label, str):
            raise UnusableAlertError(
                f"The label {shown(name)} in `{field}` is {described(label)}, not a string."
            )
    return value


def read_annotations(value: object, notes: list[str]) -> dict[str, str]:
    """Annotations, repaired where needed: they are for people, so none is worth an alert."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.append(f"`annotations` was {described(value)}, not an object, and was left out.")
        return {}
    if _only_text(value):
        return value
    notes.append("Annotations that were not strings were kept as JSON text.")
    return {name: _as_text(text) for name, text in value.items() if text is not None}


def read_link(item: Mapping[str, object], field: str, notes: list[str]) -> str:
    """A link that may be shown as one, or an empty string."""
    value = item.get(field)
    if isinstance(value, str) and (not value or linkable(value)):
        return value
    if value is not None:
        notes.append(f"`{field}` was not an http(s) address and was left out.")
    return ""


def read_name(name: str, notes: list[str]) -> str:
    """The name, cut where it would not fit into an index."""
    if len(name) <= MAX_NAME:
        return name
    notes.append(f"Its name was cut to {MAX_NAME} characters.")
    return name[:MAX_NAME]


def _only_text(value: Mapping[str, object]) -> bool:
    """Whether all values are strings; asked without a step of Python's for each of them."""
    return _TEXT.issuperset(map(type, value.values()))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else as_json(value)


def read_moment(
    item: Mapping[str, object], field: str, otherwise: datetime | None, notes: list[str]
) -> datetime | None:
    """The date in a field, None when there is none; `otherwise`, with a note, when it is something
    else. No decision hangs on a date."""
    value = item.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        notes.append(f"`{field}` was {described(value)}, not a date, and was left out.")
        return otherwise
    try:
        return read_time(value)
    except ValueError as error:
        notes.append(f"`{field}` was {shown(value)}, which is not a date ({error}).")
        return otherwise


def read_fingerprint(value: object, labels: Mapping[str, str], notes: list[str]) -> str:
    """The sender's identity for the alert, or a hash of its labels where it gave none."""
    if isinstance(value, str) and 0 < len(value) <= MAX_FINGERPRINT:
        return value
    if value is not None and value != "":
        notes.append("Its fingerprint was not usable; a hash of its labels stands for it.")
    return fingerprint_of_labels(labels)
