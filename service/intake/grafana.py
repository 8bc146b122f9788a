"""Grafana's unified alerting, payload version "1": Alertmanager's, and a few facts more."""

from __future__ import annotations

import math
from collections.abc import Mapping

from service.domain.alert import Alert, Notification, PayloadFormat
from service.intake.alertmanager import read_envelope
from service.intake.decode import Document
from service.intake.fields import read_link
from service.intake.listed import Delivery, Extras, read_alert
from service.intake.text import described

_LINKS = {
    "dashboard": "dashboardURL",
    "panel": "panelURL",
    "silence": "silenceURL",
    "image": "imageURL",
}


def read(document: Document, delivery: Delivery) -> Notification:
    """The notification in a Grafana payload; PayloadRefused (422) when there is none."""
    return read_envelope(document, delivery, PayloadFormat.GRAFANA, read_grafana_alert, [])


def read_grafana_alert(item: Mapping[str, object], delivery: Delivery, notes: list[str]) -> Alert:
    """One alert, with the values its rule was evaluated to and the links Grafana offers."""
    extras = Extras(values=_values(item.get("values"), notes), links=_links(item, notes))
    return read_alert(item, delivery, notes, extras)


def read_value(value: object) -> float | None:
    """A measured value; None for null, NaN, infinities and what is no number.

    One NaN makes Grafana send null for all of them, so null is what a reader expects.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _values(value: object, notes: list[str]) -> dict[str, float | None]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.append(f"`values` was {described(value)}, not an object, and was left out.")
        return {}
    return {name: read_value(number) for name, number in value.items()}


def _links(item: Mapping[str, object], notes: list[str]) -> dict[str, str]:
    links = {name: read_link(item, field, notes) for name, field in _LINKS.items()}
    return {name: link for name, link in links.items() if link}
