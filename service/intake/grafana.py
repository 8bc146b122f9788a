"""Grafana's unified alerting, payload version "1": Alertmanager's, and a few facts more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from service.domain.alerts.alert import (
    Alert,
    AlertKind,
    Notification,
    PayloadFormat,
    without_value_unmeasured,
)
from service.intake.alertmanager import read_envelope
from service.intake.decode import Document
from service.intake.fields import read_link
from service.intake.listed import Delivery, Extras, read_alert
from service.intake.values import read_values

_LINKS = {
    "dashboard": "dashboardURL",
    "panel": "panelURL",
    "silence": "silenceURL",
    "image": "imageURL",
}

_GROUP_KEY = re.compile(r"\{.*\}:\{", re.DOTALL)
"""The key of a real group: the route's matchers and the group's labels, both in braces. The test
button sends `<integration>-<fingerprint>-<unix seconds>` instead."""
_TEST_NAME = "TestAlert"
_TEST_SUMMARY = "Notification test"
_TEST_VALUES = "[ metric='foo' labels={instance=bar} value=10 ]"
_ERROR = "Error"
"""The annotation that Grafana adds when its rule could not be evaluated."""


def read(document: Document, delivery: Delivery) -> Notification:
    """The notification in a Grafana payload; PayloadRefused (422) when there is none."""
    reader = partial(read_grafana_alert, tested=_is_test_group(document.payload))
    return read_envelope(document, delivery, PayloadFormat.GRAFANA, reader, [])


def read_grafana_alert(
    item: Mapping[str, object], delivery: Delivery, notes: list[str], *, tested: bool
) -> Alert:
    """One alert, with the values its rule was evaluated to and the links Grafana offers.

    `tested` says that the whole notification came from the test button.
    """
    extras = Extras(values=read_values(item, notes), links=_links(item, notes))
    alert = read_alert(item, delivery, notes, extras)
    if tested or _is_test(alert, item.get("valueString")):
        return replace(alert, kind=AlertKind.TEST)
    if alert.firing and alert.measured and _ERROR in alert.annotations:
        return replace(alert, kind=AlertKind.DATASOURCE_ERROR)
    return without_value_unmeasured(alert, PayloadFormat.GRAFANA)


def _is_test_group(payload: Mapping[str, object]) -> bool:
    key = payload.get("groupKey")
    return isinstance(key, str) and key != "" and _GROUP_KEY.match(key) is None


def _is_test(alert: Alert, value_string: object) -> bool:
    """Any sign of the test button. A person who tests may replace the labels or the summary."""
    return (
        alert.kind is AlertKind.TEST
        or alert.name == _TEST_NAME
        or alert.annotations.get("summary") == _TEST_SUMMARY
        or value_string == _TEST_VALUES
    )


def _links(item: Mapping[str, object], notes: list[str]) -> dict[str, str]:
    links = {name: read_link(item, field, notes) for name, field in _LINKS.items()}
    return {name: link for name, link in links.items() if link}
