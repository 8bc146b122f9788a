"""Grafana's unified alerting: its extra fields, its test button, and no data that scales."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.domain.alerts.alert import AlertKind, AlertStatus, PayloadFormat
from tests.unit.intake.samples import LABELS, group, item, only, parse, parse_saved
from tests.unit.intake.test_alertmanager import fnv_1a_64


def test_a_firing_alert_is_mapped_with_its_values_and_links() -> None:
    notification = parse_saved("grafana-firing")
    alert = only(notification)
    assert notification.format is PayloadFormat.GRAFANA
    assert notification.receiver == "runbookd"
    assert notification.notes == alert.notes == ()
    assert alert.name == "Slow Response Time"
    assert alert.kind is AlertKind.CONDITION
    assert alert.values == {"A": 0.87, "C": 1.0}
    assert alert.starts_at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert alert.links == {
        "dashboard": "https://grafana.quiz.example/d/quiz?orgId=2",
        "panel": "https://grafana.quiz.example/d/quiz?orgId=2&viewPanel=9",
        "silence": "https://grafana.quiz.example/alerting/silence/new?orgId=2",
        "image": "https://grafana.quiz.example/img/1.png",
    }


def test_the_senders_fingerprint_is_taken_although_it_hashes_labels_that_were_stripped() -> None:
    alert = only(parse_saved("grafana-firing"))
    labels = dict(alert.labels)
    assert alert.fingerprint != fnv_1a_64(labels)
    assert alert.fingerprint == fnv_1a_64({**labels, "__alert_rule_uid__": "be2quiz7rule01"})


def test_values_of_null_are_no_values() -> None:
    assert only(parse_saved("grafana-values-null")).values == {}


def test_a_value_that_is_no_finite_number_is_null() -> None:
    odd = {"A": None, "B": float("nan"), "C": float("-inf"), "D": True, "E": "1", "F": 10**400}
    alert = only(parse(group(item(values={**odd, "G": 2}), version="1")))
    assert alert.values == {**dict.fromkeys("ABCDEF"), "G": 2.0}


def test_values_that_are_no_object_are_left_out() -> None:
    alert = only(parse(group(item(values=[1]), version="1")))
    assert alert.values == {}
    assert "`values`" in alert.notes[0]


def test_a_link_that_is_not_http_is_left_out() -> None:
    alert = only(parse(group(item(panelURL="javascript:alert(1)"), version="1")))
    assert alert.links == {}
    assert "`panelURL`" in alert.notes[0]


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({"version": "1"}, PayloadFormat.GRAFANA),
        ({"version": "1", "orgId": 1}, PayloadFormat.GRAFANA),
        ({"version": None, "orgId": 1, "state": "alerting"}, PayloadFormat.GRAFANA),
        ({"version": "9", "orgId": 1, "state": "ok"}, PayloadFormat.GRAFANA),
        ({"version": "4"}, PayloadFormat.ALERTMANAGER),
        ({"version": "4", "orgId": 1}, PayloadFormat.ALERTMANAGER),
        ({"version": "1", "ruleId": 1}, PayloadFormat.GRAFANA),
    ],
)
def test_the_format_is_told_by_content(
    envelope: dict[str, object], expected: PayloadFormat
) -> None:
    assert parse(group(item(), **envelope)).format is expected


def test_the_test_button_is_a_test() -> None:
    alert = only(parse_saved("grafana-test-button"))
    assert alert.kind is AlertKind.TEST
    assert (alert.name, alert.firing, alert.values) == ("TestAlert", True, {})
    assert (alert.generator_url, alert.notes) == ("", ())


@pytest.mark.parametrize(
    ("envelope", "changes"),
    [
        ({"groupKey": "webhook-31d2a87c0b8be411-1770091506"}, {}),
        ({}, {"annotations": {"summary": "Notification test"}}),
        ({}, {"valueString": "[ metric='foo' labels={instance=bar} value=10 ]"}),
        ({}, {"labels": {"alertname": "TestAlert", "team": "quiz"}}),
    ],
)
def test_one_sign_of_the_test_button_is_enough(
    envelope: dict[str, object], changes: dict[str, object]
) -> None:
    sent = item(**{"values": {"A": 1}, **changes})
    assert only(parse(group(sent, version="1", **envelope))).kind is AlertKind.TEST


@pytest.mark.parametrize(
    "key",
    ["", '{}:{alertname="a"}', '{}/{team="q:z"}:{alertname="a-b"}', '{}/{a="\n"}:{}', None],
)
def test_the_key_of_a_real_group_is_no_sign_of_a_test(key: str | None) -> None:
    sent = item(values={"A": 1})
    assert only(parse(group(sent, version="1", groupKey=key))).kind is AlertKind.CONDITION


@pytest.mark.parametrize(
    ("values", "text", "measured"),
    [
        (None, "", {}),
        ({}, "", {}),
        ({"A": None}, "", {}),
        (None, "no value", {}),
        (None, "[ var='A' labels={} value=NaN ]", {}),
        (None, "[ var='A' labels={} value=[no value] ]", {}),
        (None, "[ var='A' labels={x=value=9} value=null ]", {}),
        (None, "[ var='A' labels={a=b} value=0.5 ]", {"A": 0.5}),
        (
            None,
            "[ var='A0' labels={} value=-1e3 ], [ var='A0' labels={} value=2 ]",
            {"A0": -1000.0, "A0 (2)": 2.0},
        ),
        (
            {"A": None},
            "[ var='A' labels={} value=NaN ], [ var='B' labels={} value=7 ]",
            {"A": None, "B": 7.0},
        ),
        ({"A": 1}, "[ var='A' labels={} value=2 ]", {"A": 1.0}),
    ],
)
def test_measured_is_what_can_be_shown_by_a_number(
    values: object, text: str, measured: dict[str, float | None]
) -> None:
    alert = only(parse(group(item(values=values, valueString=text), version="1")))
    assert alert.measured is bool(measured)
    if measured:
        assert alert.values == measured
        assert alert.notes == ()
    else:
        assert "without a value" in alert.notes[0]


def test_an_error_that_fires_under_the_rules_own_name_is_no_condition() -> None:
    sent = item(values={"A": 1}, annotations={"Error": "connection refused"})
    assert only(parse(group(sent, version="1"))).kind is AlertKind.DATASOURCE_ERROR


def test_an_alert_of_alertmanager_is_measured_without_values() -> None:
    sent = item(annotations={"Error": "a person's own annotation"})
    assert only(parse(group(sent))).measured


def test_a_resolved_alert_needs_no_value() -> None:
    assert only(parse(group(item(status="resolved"), version="1"))).measured


@pytest.mark.parametrize("instance", ["api-1:9100", "grafana", None])
def test_a_rule_that_only_has_the_name_of_the_test_is_a_condition(instance: str | None) -> None:
    labels = {"alertname": "TestAlert"} | ({"instance": instance} if instance else {})
    assert only(parse(group(item(labels=labels)))).kind is AlertKind.CONDITION


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("grafana-no-data", AlertKind.NO_DATA),
        ("grafana-datasource-error", AlertKind.DATASOURCE_ERROR),
    ],
)
def test_lost_data_is_told_with_the_original_rules_name(name: str, kind: AlertKind) -> None:
    alert = only(parse_saved(name))
    assert alert.kind is kind
    assert alert.name == "High CPU Usage"
    assert alert.labels["alertname"] != "High CPU Usage"


@pytest.mark.parametrize("rulename", [None, ""])
def test_lost_data_without_the_original_name_keeps_the_stand_in(rulename: str | None) -> None:
    labels = {"alertname": "DatasourceNoData"} | ({} if rulename is None else {"rulename": ""})
    alert = only(parse(group(item(labels=labels))))
    assert (alert.kind, alert.name) == (AlertKind.NO_DATA, "DatasourceNoData")


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_lost_data_stays_lost_data_through_an_external_alertmanager(status: str) -> None:
    labels = {"alertname": "DatasourceError", "rulename": "High CPU Usage"}
    alert = only(parse(group(item(labels=labels, status=status), version="4")))
    assert (alert.kind, alert.name) == (AlertKind.DATASOURCE_ERROR, "High CPU Usage")


def test_an_ordinary_rule_keeps_its_name_beside_a_label_called_rulename() -> None:
    alert = only(parse(group(item(labels={**LABELS, "rulename": "other"}))))
    assert alert.name == "High CPU Usage"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("NoData", AlertKind.NO_DATA),
        ("MissingSeries", AlertKind.NO_DATA),
        ("KeepLast", AlertKind.NO_DATA),
        ("NoData, KeepLast", AlertKind.NO_DATA),
        ("Error", AlertKind.DATASOURCE_ERROR),
        ("Error,KeepLast", AlertKind.DATASOURCE_ERROR),
        ("NoData, Error", AlertKind.DATASOURCE_ERROR),
        ("Updated", AlertKind.CONDITION),
        ("Paused", AlertKind.CONDITION),
        ("RuleDeleted", AlertKind.CONDITION),
        ("SomethingNew", AlertKind.CONDITION),
    ],
)
@pytest.mark.parametrize("version", ["1", "4"])
def test_an_alert_that_fires_unmeasured_is_no_condition(
    reason: str, kind: AlertKind, version: str
) -> None:
    sent = item(annotations={"grafana_state_reason": reason}, values={"A": 1})
    alert = only(parse(group(sent, version=version)))
    assert (alert.kind, alert.name) == (kind, "High CPU Usage")
    assert len(alert.notes) == 1


@pytest.mark.parametrize(
    "reason", ["MissingSeries", "NoData", "Error", "Paused", "Updated", "RuleDeleted"]
)
def test_a_resolved_alert_keeps_its_kind_and_says_why_it_ended(reason: str) -> None:
    sent = item(status="resolved", annotations={"grafana_state_reason": reason})
    alert = only(parse(group(sent, version="1")))
    assert (alert.status, alert.kind) == (AlertStatus.RESOLVED, AlertKind.CONDITION)
    assert reason in alert.notes[0]


def test_the_last_state_kept_without_data_is_no_condition() -> None:
    alert = only(parse_saved("grafana-keep-last"))
    assert alert.kind is AlertKind.NO_DATA
    assert "'NoData, KeepLast'" in alert.notes[0]


def test_a_resolved_alert_may_end_when_it_starts() -> None:
    alert = only(parse_saved("grafana-missing-series"))
    assert alert.status is AlertStatus.RESOLVED
    assert alert.starts_at == alert.ends_at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
