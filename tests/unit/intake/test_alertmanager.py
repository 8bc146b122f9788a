"""Every fact of Alertmanager's wire contract, and everything odd that is taken all the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.alerts.alert import AlertKind, AlertStatus, PayloadFormat, fingerprint_of_labels
from service.intake.fields import MAX_FINGERPRINT, MAX_NAME
from tests.unit.intake.samples import (
    LABELS,
    PAYLOADS,
    group,
    item,
    only,
    parse,
    parse_saved,
    saved,
    without,
)


def fnv_1a_64(labels: dict[str, str]) -> str:
    """The senders' fingerprint, worked out apart from the product (wire contract)."""
    state = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in f"{name}\0{labels[name]}\0".encode().replace(b"\0", b"\xff"):
            state = ((state ^ byte) * 0x100000001B3) % 2**64
    return f"{state:016x}"


def test_a_firing_alert_is_mapped_field_by_field() -> None:
    notification = parse_saved("alertmanager-firing")
    alert = only(notification)
    assert notification.format is PayloadFormat.ALERTMANAGER
    assert notification.source == alert.source == "main"
    assert notification.group_key == '{}/{team="quiz"}:{alertname="High Memory Usage"}'
    assert notification.group_labels == {"alertname": "High Memory Usage"}
    assert notification.external_url == "http://alertmanager-a:9093"
    assert notification.truncated == 0
    assert notification.notes == alert.notes == ()
    assert alert.status is AlertStatus.FIRING
    assert alert.name == "High Memory Usage"
    assert alert.kind is AlertKind.CONDITION
    assert alert.labels["instance"] == "worker-1:9100"
    assert alert.annotations == {"summary": "memory at 93 %"}
    assert (alert.values, alert.links) == ({}, {})
    assert alert.starts_at == datetime(2026, 2, 3, 4, 5, 6, 789_000, UTC)
    assert alert.ends_at is None
    assert alert.generator_url == "http://prometheus-a:9090/graph?g0.expr=up&g0.tab=1"


def test_each_alert_has_its_own_status_and_not_the_groups() -> None:
    notification = parse_saved("alertmanager-mixed")
    assert json.loads(saved("alertmanager-mixed"))["status"] == "firing"
    assert [alert.status.value for alert in notification.alerts] == ["firing", "resolved", "firing"]


def test_nanoseconds_and_offsets_come_out_as_microseconds_in_utc() -> None:
    _, resolved, offset = parse_saved("alertmanager-mixed").alerts
    assert resolved.starts_at == datetime(2026, 2, 3, 3, 50, tzinfo=UTC)
    assert resolved.ends_at == datetime(2026, 2, 3, 4, 0, 0, 123_456, UTC)
    assert offset.starts_at == datetime(2026, 2, 3, 4, 5, 6, 500_000, UTC)
    assert offset.starts_at.tzinfo is UTC


def test_the_receiver_is_shown_as_people_wrote_it() -> None:
    assert parse_saved("alertmanager-firing").receiver == "runbookd.scaling"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (r"web\.hook", "web.hook"),
        (r"a\+b\(c\)\[d\]\{e\}\^\$\|\*\?", "a+b(c)[d]{e}^$|*?"),
        (r"back\\slash\\\.", r"back\slash\."),
        (r"team\d", r"team\d"),
        ("plain", "plain"),
    ],
)
def test_a_receiver_is_unescaped(sent: str, shown: str) -> None:
    assert parse(group(receiver=sent)).receiver == shown


def test_a_truncated_group_says_how_many_are_missing() -> None:
    notification = parse_saved("alertmanager-truncated")
    assert notification.truncated == 37
    assert len(notification.alerts) == 2


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("alertmanager-*.json")), ids=lambda p: p.stem)
def test_the_saved_fingerprints_are_what_alertmanager_computes(path: Any) -> None:
    notification = parse(path.read_bytes())
    assert notification.alerts
    for alert in notification.alerts:
        assert alert.fingerprint == fnv_1a_64(dict(alert.labels))


def test_a_firing_alert_has_no_end_even_when_one_is_sent() -> None:
    assert only(parse(group(item(endsAt="2026-02-03T05:00:00Z")))).ends_at is None


def test_a_resolved_alert_without_an_end_is_taken() -> None:
    alert = only(parse(group(item(status="resolved"))))
    assert (alert.status, alert.ends_at) == (AlertStatus.RESOLVED, None)


@pytest.mark.parametrize("fingerprint", [None, "", 7, "f" * (MAX_FINGERPRINT + 1), ["f"]])
def test_without_a_usable_fingerprint_a_hash_of_the_labels_stands_for_it(
    fingerprint: object,
) -> None:
    alert = only(parse(group(item(fingerprint=fingerprint))))
    assert alert.fingerprint == fingerprint_of_labels(LABELS)
    assert bool(alert.notes) == bool(fingerprint)


def test_alerts_with_different_labels_and_no_fingerprint_stay_apart() -> None:
    other = {**without("fingerprint"), "labels": {**LABELS, "instance": "api-2"}}
    first, second = parse(group(without("fingerprint"), other)).alerts
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize("field", ["labels", "annotations", "startsAt", "endsAt", "generatorURL"])
def test_a_missing_field_and_a_null_one_are_the_same_and_taken(field: str) -> None:
    missing = only(parse(group(without(field))))
    assert missing == only(parse(group(item(**{field: None}))))
    assert missing.notes == ()


def test_an_alert_without_labels_has_an_empty_name() -> None:
    alert = only(parse(group({"status": "firing"})))
    assert (alert.name, alert.labels, alert.starts_at) == ("", {}, None)
    assert alert.fingerprint == fingerprint_of_labels({})


def test_unknown_keys_are_ignored() -> None:
    ordinary = parse(group(item()))
    newer = parse(group(item(rank=1, more={"a": []}), notification_reason="repeat", later=None))
    assert newer == ordinary


def test_an_empty_list_of_alerts_is_a_notification_without_alerts() -> None:
    notification = parse(group())
    assert (notification.alerts, notification.quarantined) == ((), ())


def test_ten_thousand_alerts_are_taken_in_one_notification() -> None:
    body = group(*(item(fingerprint=f"{number:016x}") for number in range(10_000)))
    alerts = parse(body).alerts
    assert len({alert.fingerprint for alert in alerts}) == 10_000


@pytest.mark.parametrize(
    "hostile",
    [
        "\"quoted\" and 'quoted'",
        "two\nlines\r\nand a\ttab",
        "<script>alert(1)</script>",
        "{{ .Labels }} {% raw %} ${HOME} {0}",
        "<!channel> *bold* | `code`",
        "\\ud83d \U0001f642 \u202e",
        "' OR 1=1; --",
        "x" * 100_000,
    ],
)
def test_hostile_text_is_taken_as_it_is(hostile: str) -> None:
    alert = only(parse(group(item(labels={**LABELS, "text": hostile}))))
    assert alert.labels["text"] == hostile
    assert alert.notes == ()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"a\\u0000b", "a\ufffdb"),
        (b"a\x00b", "a\ufffdb"),
        (b"a\\ud800b", "a\ufffdb"),
        (b"a\\udc00b", "a\ufffdb"),
        (b"a\\ude42\\ud83db", "a\ufffd\ufffdb"),
        (b"a\xffb", "a\ufffdb"),
        (b"\\ud83d\\ude42\\u0000", "\U0001f642\ufffd"),
    ],
)
def test_what_no_store_takes_is_replaced_and_noted_on_its_own_alert(sent: bytes, kept: str) -> None:
    body = group(item(labels={"text": "@"}), item()).replace(b"@", sent)
    repaired, untouched = parse(body).alerts
    assert repaired.labels == {"text": kept}
    assert "U+FFFD" in repaired.notes[0]
    assert untouched.notes == ()


def test_surrogates_written_as_utf_8_are_replaced() -> None:
    alert = only(parse(group(item(labels={"text": "@"})).replace(b"@", b"\xed\xa0\x80")))
    assert set(alert.labels["text"]) == {"\ufffd"}


def test_a_label_name_that_no_store_takes_is_replaced() -> None:
    assert only(parse(group(item(labels={"a\x00": "b"})))).labels == {"a\ufffd": "b"}


def test_what_no_store_takes_in_the_envelope_is_noted_on_the_notification() -> None:
    notification = parse(group(item(), groupKey="{}\x00", groupLabels={"g": "\ud800"}))
    assert notification.group_key == "{}\ufffd"
    assert notification.group_labels == {"g": "\ufffd"}
    assert notification.notes[0].startswith("2 characters")
    assert only(notification).notes == ()


def test_a_spelled_out_escape_is_no_nul() -> None:
    alert = only(parse(group(item(labels={"text": "\\u0000"}))))
    assert alert.labels["text"] == "\\u0000"
    assert alert.notes == ()


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbf" + group(item())) == parse(group(item()))


@pytest.mark.parametrize(("version", "noted"), [("4", False), ("5", True), (4, True), (None, True)])
def test_an_unknown_version_is_read_as_alertmanagers_and_noted(
    version: object, noted: bool
) -> None:
    notification = parse(group(item(), version=version))
    assert notification.format is PayloadFormat.ALERTMANAGER
    assert bool(notification.notes) is noted
    assert only(notification).name == "High CPU Usage"


@pytest.mark.parametrize(
    "field", ["receiver", "groupKey", "externalURL", "groupLabels", "truncatedAlerts"]
)
@pytest.mark.parametrize("odd", [["x"], True, -1, {"x": 1}])
def test_an_odd_envelope_costs_a_note_and_no_alert(field: str, odd: object) -> None:
    notification = parse(group(item(), **{field: odd}))
    assert len(notification.notes) == 1
    assert only(notification).firing


def test_a_count_that_no_column_holds_is_capped() -> None:
    assert parse(group(truncatedAlerts=10**30)).truncated == 2**31 - 1


@pytest.mark.parametrize("annotations", [["x"], "text", 5])
def test_odd_annotations_are_left_out_and_the_alert_is_taken(annotations: object) -> None:
    alert = only(parse(group(item(annotations=annotations))))
    assert alert.annotations == {}
    assert "`annotations`" in alert.notes[0]


def test_annotations_that_are_no_strings_are_kept_as_text() -> None:
    alert = only(parse(group(item(annotations={"a": 1, "b": None, "c": ["x"], "d": "d"}))))
    assert alert.annotations == {"a": "1", "c": '["x"]', "d": "d"}
    assert len(alert.notes) == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "//x", 5])
def test_only_an_http_address_is_kept_as_a_link(url: object) -> None:
    alert = only(parse(group(item(generatorURL=url))))
    assert alert.generator_url == ""
    assert "`generatorURL`" in alert.notes[0]


def test_a_name_too_long_for_an_index_is_cut_and_the_label_kept() -> None:
    alert = only(parse(group(item(labels={"alertname": "n" * 9000}))))
    assert len(alert.name) == MAX_NAME
    assert len(alert.labels["alertname"]) == 9000
    assert len(alert.notes) == 1


@pytest.mark.parametrize(("second", "noted"), [("04:11:00", False), ("04:11:01", True)])
def test_an_alert_that_starts_in_the_future_is_noted(second: str, noted: bool) -> None:
    alert = only(parse(group(item(startsAt=f"2026-02-03T{second}Z"))))
    assert bool(alert.notes) is noted


def test_an_alert_without_an_alertname_gets_the_one_that_all_of_them_share() -> None:
    nameless = item(labels={"instance": "a"})
    named = item(labels={"instance": "b", "alertname": "Own"})
    notification = parse(group(nameless, named, commonLabels={"alertname": "Shared", "team": "x"}))
    first, second = notification.alerts
    assert (first.name, dict(first.labels)) == ("Shared", {"instance": "a", "alertname": "Shared"})
    assert first.notes == ("Its alertname is that of the notification's commonLabels.",)
    assert (second.name, second.notes) == ("Own", ())


@pytest.mark.parametrize("common", [None, [], {"alertname": 7}, {}])
def test_common_labels_that_say_no_name_change_nothing(common: Any) -> None:
    assert only(parse(group(item(labels={"a": "b"}), commonLabels=common))).name == ""
