"""Grafana's legacy alerting: one rule, one alert, identified by (source, orgId, ruleId)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.domain.alerts.alert import AlertKind, AlertStatus, Notification, PayloadFormat
from tests.unit.intake.samples import only, parse, parse_saved, saved


def legacy(**changes: Any) -> Notification:
    return parse(json.dumps({**json.loads(saved("grafana-legacy-alerting")), **changes}).encode())


def test_an_alerting_rule_is_one_firing_alert() -> None:
    notification = parse_saved("grafana-legacy-alerting")
    alert = only(notification)
    assert notification.format is PayloadFormat.GRAFANA_LEGACY
    assert (notification.receiver, notification.group_labels) == ("", {})
    assert alert.fingerprint == "legacy-3-52"
    assert (alert.status, alert.kind) == (AlertStatus.FIRING, AlertKind.CONDITION)
    assert alert.name == "High Memory Usage"
    assert alert.labels == {
        "alertname": "High Memory Usage",
        "ruleId": "52",
        "severity": "critical",
        "team": "quiz",
    }
    assert alert.annotations == {
        "summary": "[Alerting] High Memory Usage",
        "description": "memory above 80 %",
    }
    assert alert.values == {"mem_used_percent": 91.5, "mem_used_percent (2)": 88.0, "swap": None}
    assert (alert.starts_at, alert.ends_at, alert.notes) == (None, None, ())
    assert alert.generator_url == "https://grafana.quiz.example/d/mem?viewPanel=2"
    assert alert.links == {"image": "https://grafana.quiz.example/img/mem.png"}


def test_ok_resolves_the_same_alert() -> None:
    alert = only(parse_saved("grafana-legacy-ok"))
    assert alert.status is AlertStatus.RESOLVED
    assert alert.fingerprint == only(parse_saved("grafana-legacy-alerting")).fingerprint


def test_no_data_fires_but_is_no_condition() -> None:
    alert = only(parse_saved("grafana-legacy-no-data"))
    assert (alert.status, alert.kind) == (AlertStatus.FIRING, AlertKind.NO_DATA)
    assert alert.name == "High Memory Usage"


def test_the_early_spellings_are_understood() -> None:
    alert = only(parse_saved("grafana-legacy-early"))
    assert alert.fingerprint == "legacy-0-7"
    assert alert.generator_url == "http://grafana-old:3000/dashboard/db/errors"
    assert alert.links == {"image": "http://grafana-old:3000/errors.png"}


def test_the_test_button_is_a_test() -> None:
    assert only(parse_saved("grafana-legacy-test-button")).kind is AlertKind.TEST


def test_the_test_button_of_later_versions_is_a_test_too() -> None:
    message = "Someone is testing the alert notification within Grafana."
    alert = only(legacy(ruleName="Test notification", message=message, ruleId=2**62))
    assert alert.kind is AlertKind.TEST


def test_a_rule_called_like_the_test_is_a_condition() -> None:
    assert only(legacy(ruleName="Test notification")).kind is AlertKind.CONDITION


@pytest.mark.parametrize("state", ["paused", "pending", "unknown"])
def test_a_rule_that_neither_fires_nor_has_ended_gives_a_note_and_no_alert(state: str) -> None:
    notification = legacy(state=state)
    assert (notification.alerts, notification.quarantined) == ((), ())
    assert state in notification.notes[0]


@pytest.mark.parametrize("matches", [[], None])
def test_alerting_without_matches_has_no_data(matches: object) -> None:
    alert = only(legacy(evalMatches=matches))
    assert (alert.kind, alert.values, alert.firing) == (AlertKind.NO_DATA, {}, True)
    assert "without a value" in alert.notes[0]


@pytest.mark.parametrize(
    ("state", "kinds"),
    [("alerting", [AlertKind.NO_DATA]), ("ok", [AlertKind.CONDITION]), ("paused", [])],
)
def test_a_payload_without_the_field_for_matches_is_legacy_too(
    state: str, kinds: list[AlertKind]
) -> None:
    payload = {**json.loads(saved("grafana-legacy-alerting")), "state": state}
    del payload["evalMatches"]
    notification = parse(json.dumps(payload).encode())
    assert notification.format is PayloadFormat.GRAFANA_LEGACY
    assert [alert.kind for alert in notification.alerts] == kinds


def test_an_alert_whose_every_value_is_null_has_no_data() -> None:
    matches = [{"metric": "NoData", "value": None, "tags": None}]
    assert only(legacy(evalMatches=matches)).kind is AlertKind.NO_DATA


def test_not_a_number_is_null() -> None:
    matches = [{"metric": "a", "value": float("nan")}, {"metric": "b", "value": 1}]
    assert only(legacy(evalMatches=matches)).values == {"a": None, "b": 1.0}


@pytest.mark.parametrize("matches", ["none", {"a": 1}, [1, "x"]])
def test_odd_matches_cost_a_note_and_no_alert(matches: object) -> None:
    alert = only(legacy(evalMatches=matches, state="ok"))
    assert alert.values == {}
    assert len(alert.notes) == 1


@pytest.mark.parametrize(
    "changes", [{"ruleName": None}, {"tags": None}, {"title": None}, {"message": 5}]
)
def test_a_missing_or_odd_text_costs_nothing(changes: dict[str, object]) -> None:
    assert only(legacy(**changes)).fingerprint == "legacy-3-52"


@pytest.mark.parametrize(
    ("changes", "part_of_the_reason"),
    [
        ({"state": "broken"}, "`state` is 'broken'"),
        ({"state": None}, "`state` is null"),
        ({"ruleId": "52"}, "`ruleId` is a string"),
        ({"ruleId": None}, "`ruleId` is null"),
        ({"ruleId": 2**63}, "`ruleId` is a number"),
        ({"ruleId": 1.5}, "`ruleId` is a number"),
        ({"orgId": True}, "`orgId` is true or false"),
        ({"tags": ["a"]}, "`tags` is a list"),
        ({"tags": {"a": 1}}, "label 'a' in `tags` is a number"),
    ],
)
def test_a_bad_one_is_quarantined_with_its_reason(
    changes: dict[str, object], part_of_the_reason: str
) -> None:
    notification = legacy(**changes)
    assert notification.alerts == ()
    (quarantined,) = notification.quarantined
    assert quarantined.index == 0
    assert part_of_the_reason in quarantined.reason
    assert json.loads(quarantined.raw)["dashboardId"] == 8


def test_a_tag_cannot_pass_for_the_rules_name() -> None:
    assert only(legacy(tags={"alertname": "other"})).labels["alertname"] == "High Memory Usage"


def test_what_no_store_takes_is_replaced_and_noted() -> None:
    alert = only(legacy(message="a\x00b", ruleName="High\ud800"))
    assert alert.name == "High\ufffd"
    assert alert.annotations["description"] == "a\ufffdb"
    assert alert.notes[0].startswith("2 characters")


@pytest.mark.parametrize("url", ["javascript:alert(1)", 5])
def test_only_an_http_address_is_kept_as_a_link(url: object) -> None:
    alert = only(legacy(ruleUrl=url))
    assert alert.generator_url == ""
    assert "`ruleUrl`" in alert.notes[0]
