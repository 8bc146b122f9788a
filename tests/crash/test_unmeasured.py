"""An alert that measured nothing changes nothing: real payloads, through the whole service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.crash.stand import Stand
from tests.processes import ROOT
from tests.reliability import VendorSaw, scenario

pytestmark = pytest.mark.crash

PART = "Alerts that measured nothing"


def saved(name: str, alertname: str = "") -> dict[str, Any]:
    """A payload as Grafana sent it, its alert under another name where one is given."""
    payload: dict[str, Any] = json.loads(
        (ROOT / "tests" / "payloads" / f"{name}.json").read_text(encoding="utf-8")
    )
    for alert in payload.get("alerts", []):
        alert["labels"]["alertname"] = alertname or alert["labels"]["alertname"]
    return payload


def taken_and_settled(stand: Stand, payload: dict[str, Any]) -> None:
    """Deliver it, and wait until everything that it leads to is done."""
    stand.deliver("grafana", payload)
    stand.worker()
    stand.wait_for(stand.runs, "a run")
    stand.wait_for(lambda: set(stand.workflows().values()) == {"SUCCESS"}, "the runs to end")


@scenario(
    PART,
    "A data source is down: Grafana (legacy) says `alerting` and sends no value.",
    "No change. Slack is told that there is no data.",
)
def test_a_legacy_alert_without_a_value_changes_nothing(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
    taken_and_settled(stand, saved("grafana-legacy-nothing-measured"))
    assert told(stand, "High Memory Usage")
    vendor_saw(stand.write_list())


@scenario(
    PART,
    "A query fails: Grafana sends the alert under its own name, with `values` null.",
    "No change. Slack is told that there is no data.",
)
def test_an_alert_whose_values_are_null_changes_nothing(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
    taken_and_settled(stand, saved("grafana-values-null", "High CPU Usage"))
    assert told(stand, "High CPU Usage")
    vendor_saw(stand.write_list())


@scenario(
    PART,
    "Somebody presses Grafana's test button, with labels that look like a real alert's.",
    "No change. Slack shows it as a test.",
)
def test_a_test_with_custom_labels_changes_nothing(stand: Stand, vendor_saw: VendorSaw) -> None:
    taken_and_settled(stand, saved("grafana-test-button-custom-labels"))
    (said,) = stand.announcements()
    assert "test" in said.lower()
    vendor_saw(stand.write_list())


def told(stand: Stand, name: str) -> bool:
    """Whether Slack has a message about the alert, and nobody was paged."""
    (said,) = stand.announcements()
    return name in said and stand.page_count() == 0
