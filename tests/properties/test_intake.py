"""Whatever is sent: a Notification that can be stored, or a refusal; never anything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.alerts.alert import Notification
from service.intake.parse import PayloadRefused, parse_notification
from service.intake.times import read_time

NOW = datetime(2026, 2, 3, tzinfo=UTC)

any_text = st.text(st.characters(exclude_categories=[]), max_size=20)
any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=8,
)
clean_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
clean_labels = st.dictionaries(clean_text, clean_text, max_size=4)

ALERT_FIELDS = {
    "status": st.sampled_from(["firing", "resolved"]) | any_json,
    "labels": st.dictionaries(any_text, any_text, max_size=4) | any_json,
    "annotations": st.dictionaries(any_text, any_text, max_size=2) | any_json,
    "startsAt": st.just("2026-02-03T04:05:06Z") | any_json,
    "endsAt": st.just("0001-01-01T00:00:00Z") | any_json,
    "generatorURL": any_json,
    "fingerprint": any_json,
    "values": st.dictionaries(any_text, st.none() | st.floats(), max_size=2) | any_json,
    "valueString": st.just("[ var='A' labels={} value=1 ]") | any_json,
    "panelURL": any_json,
}
ENVELOPE_FIELDS = {
    "version": st.sampled_from(["1", "4"]) | any_json,
    "receiver": any_json,
    "groupKey": any_json,
    "groupLabels": any_json,
    "externalURL": any_json,
    "truncatedAlerts": any_json,
    "alerts": st.lists(st.fixed_dictionaries({}, optional=ALERT_FIELDS) | any_json, max_size=4),
}
LEGACY_FIELDS = {
    "state": st.sampled_from(["ok", "alerting", "no_data", "paused"]) | any_json,
    "ruleName": any_json,
    "orgId": any_json,
    "tags": any_json,
    "ruleUrl": any_json,
    "message": any_json,
}
payloads = st.fixed_dictionaries({}, optional=ENVELOPE_FIELDS) | st.fixed_dictionaries(
    {"ruleId": st.integers() | any_json, "evalMatches": any_json}, optional=LEGACY_FIELDS
)


def parse(body: bytes) -> Notification | None:
    try:
        return parse_notification(
            body, source="main", content_type="application/json", received_at=NOW
        )
    except PayloadRefused as refused:
        assert_422(refused)
        return None


def assert_422(refused: PayloadRefused) -> None:
    assert refused.status == 422
    assert refused.sentence.endswith(".")


def assert_storable(value: object) -> None:
    """JSON in UTF-8 without NUL and NaN: what PostgreSQL's text takes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    text.encode()
    assert "\\u0000" not in text.replace("\\\\", "")


@given(payloads)
def test_every_payload_gives_a_storable_notification_or_a_refusal(payload: Any) -> None:
    notification = parse(json.dumps(payload).encode())
    if notification is not None:
        assert_storable(asdict(notification))


VALUE = st.none() | st.floats() | any_json
UNIFIED = st.fixed_dictionaries(
    {"status": st.just("firing")},
    optional={
        "values": st.dictionaries(any_text, VALUE, max_size=2) | any_json,
        "valueString": st.sampled_from(["", "[ var='A' labels={} value=1 ]"]) | any_text,
        "annotations": st.dictionaries(st.just("Error") | any_text, any_text, max_size=2),
    },
).map(lambda item: {"version": "1", "alerts": [item]})
LEGACY = st.fixed_dictionaries(
    {"ruleId": st.just(1), "state": st.just("alerting")},
    optional={
        "evalMatches": st.lists(st.fixed_dictionaries({"value": VALUE}), max_size=2) | any_json
    },
)


@given(UNIFIED | LEGACY)
def test_an_alert_that_may_change_something_was_measured_where_its_format_can_say_so(
    payload: Any,
) -> None:
    notification = parse(json.dumps(payload).encode())
    assert notification is not None
    for alert in notification.alerts:
        shown = any(value is not None for value in alert.values.values())
        assert shown or not alert.measured


@given(st.fixed_dictionaries({}, optional=ENVELOPE_FIELDS))
def test_every_listed_alert_is_either_taken_or_quarantined(payload: dict[str, Any]) -> None:
    notification = parse(json.dumps(payload).encode())
    if notification is None:
        assert "alerts" not in payload
    else:
        listed = len(notification.alerts) + len(notification.quarantined)
        assert listed == len(payload["alerts"])


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_taken_or_refused(body: bytes) -> None:
    notification = parse(body)
    assert notification is None or notification.source == "main"


@given(clean_labels, clean_labels)
def test_clean_labels_and_annotations_arrive_unchanged(
    labels: dict[str, str], annotations: dict[str, str]
) -> None:
    item = {"status": "resolved", "labels": labels, "annotations": annotations}
    notification = parse(json.dumps({"version": "4", "alerts": [item]}).encode())
    assert notification is not None
    (alert,) = notification.alerts
    assert (alert.labels, alert.annotations) == (labels, annotations)


@given(st.lists(clean_labels, max_size=5), st.integers(0, 5))
def test_a_nul_anywhere_changes_nothing_about_the_other_alerts(
    labels: list[dict[str, str]], place: int
) -> None:
    clean = [{"status": "firing", "labels": each} for each in labels]
    dirty: list[dict[str, Any]] = [*clean]
    dirty.insert(place, {"status": "firing", "labels": {"alertname": "\0"}})
    expected = parse(json.dumps({"version": "4", "alerts": clean}).encode())
    found = parse(json.dumps({"version": "4", "alerts": dirty}).encode())
    assert expected is not None
    assert found is not None
    assert tuple(alert for alert in found.alerts if alert.name != "\ufffd") == expected.alerts


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 - hypothesis asks for naive bounds
    st.integers(-23 * 60, 23 * 60),
)
def test_every_moment_at_every_offset_is_read_as_the_same_moment(
    naive: datetime, offset_minutes: int
) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert read_time(moment.isoformat()) == moment
