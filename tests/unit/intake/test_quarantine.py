"""One bad alert costs nothing but itself, and says what was wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.intake.text import MAX_RAW_BYTES
from tests.unit.intake.samples import LABELS, group, item, parse, without


@pytest.mark.parametrize(
    ("bad", "part_of_the_reason"),
    [
        (7, "The alert is a number"),
        (None, "The alert is null"),
        ("firing", "The alert is a string"),
        ([item()], "The alert is a list"),
        (without("status"), "`status` is null"),
        (item(status="ok"), "`status` is 'ok'"),
        (item(status="Firing"), "`status` is 'Firing'"),
        (item(status=1), "`status` is a number"),
        (item(status=["firing"]), "`status` is a list"),
        (item(labels=[]), "`labels` is a list"),
        (item(labels="alertname"), "`labels` is a string"),
        (item(labels={**LABELS, "code": 500}), "label 'code' in `labels` is a number"),
        (item(labels={**LABELS, "up": True}), "label 'up' in `labels` is true or false"),
        (item(labels={**LABELS, "at": {"a": "b"}}), "label 'at' in `labels` is an object"),
        (item(labels={**LABELS, "on": ["x"]}), "label 'on' in `labels` is a list"),
        (item(labels={**LABELS, "rate": float("nan")}), "label 'rate' in `labels` is a number"),
    ],
)
def test_a_bad_alert_is_quarantined_and_the_rest_is_taken(
    bad: object, part_of_the_reason: str
) -> None:
    notification = parse(group(item(fingerprint="a"), bad, item(fingerprint="b")))
    assert [alert.fingerprint for alert in notification.alerts] == ["a", "b"]
    (quarantined,) = notification.quarantined
    assert quarantined.index == 1
    assert part_of_the_reason in quarantined.reason
    assert quarantined.reason.endswith(".")


def test_an_alert_is_kept_as_it_came() -> None:
    bad = item(status="ok", annotations={"summary": '<b>"é"</b>\n'})
    (quarantined,) = parse(group(bad)).quarantined
    assert json.loads(quarantined.raw) == bad


def test_all_quarantined_is_still_a_notification() -> None:
    notification = parse(group(1, 2, item(labels=3)))
    assert notification.alerts == ()
    assert [bad.index for bad in notification.quarantined] == [0, 1, 2]


def test_not_a_number_is_kept_as_null() -> None:
    (quarantined,) = parse(group(item(status="ok", values={"A": float("nan")}))).quarantined
    assert json.loads(quarantined.raw)["values"] == {"A": None}


@pytest.mark.parametrize("letter", ["x", "é", "🙂"])
def test_a_huge_bad_alert_is_cut_to_64_kib_of_whole_characters(letter: str) -> None:
    (quarantined,) = parse(group(item(status="ok", note=letter * 100_000))).quarantined
    size = len(quarantined.raw.encode())
    assert MAX_RAW_BYTES - 4 < size <= MAX_RAW_BYTES
    assert quarantined.raw.endswith(letter)


def test_a_reason_stays_short_whatever_the_name() -> None:
    labels: dict[str, Any] = {"n" * 10_000: 5}
    (quarantined,) = parse(group(item(labels=labels))).quarantined
    assert len(quarantined.reason) < 200


def test_what_no_store_takes_is_replaced_in_the_kept_text_too() -> None:
    (quarantined,) = parse(group(item(status="\x00", note="\ud800"))).quarantined
    assert "\x00" not in quarantined.raw
    assert "\\u0000" not in quarantined.raw
    assert json.loads(quarantined.raw)["note"] == "\ufffd"


@pytest.mark.parametrize("note", ["fine", "\x00"])
def test_a_number_beyond_every_size_costs_no_alert(note: str) -> None:
    body = group(item(), item(labels={"n": 1})).replace(b'"n": 1', b'"n": ' + b"9" * 6000)
    notification = parse(body.replace(b"main", json.dumps(note).strip('"').encode()))
    assert len(notification.alerts) == 1
    assert [bad.index for bad in notification.quarantined] == [1]
