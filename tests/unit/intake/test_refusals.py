"""What can never succeed is refused with the right status and one clear sentence."""

from __future__ import annotations

import json

import pytest

from service.intake.alertmanager import MAX_ALERTS
from service.intake.decode import MAX_DEPTH
from service.intake.parse import PayloadRefused
from tests.unit.intake.samples import group, item, parse, saved


def refusal(body: bytes, content_type: str = "application/json") -> PayloadRefused:
    with pytest.raises(PayloadRefused) as caught:
        parse(body, content_type)
    return caught.value


def nested(
    levels: int, *, text: str = "", opening: bytes = b"[", core: bytes = b"1", closing: bytes = b"]"
) -> bytes:
    """An acceptable notification with a field that makes it this many levels deep."""
    deep = opening * (levels - 1) + core + closing * (levels - 1)
    return b'{"alerts":[],"t":"%b","x":%b}' % (text.encode(), deep)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/jsonp",
        "multipart/form-data; boundary=x",
        "image/svg+json",
        "application/json; charset=utf-16",
    ],
)
def test_another_content_type_is_refused_with_415(content_type: str) -> None:
    refused = refusal(saved("alertmanager-firing"), content_type)
    assert refused.status == 415
    assert str(refused) == refused.sentence
    assert refused.sentence.endswith(".")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'APPLICATION/JSON;charset="UTF-8"',
        "application/vnd.quiz+json",
        "",
    ],
)
def test_every_spelling_of_json_is_taken(content_type: str) -> None:
    assert len(parse(saved("alertmanager-firing"), content_type).alerts) == 1


@pytest.mark.parametrize(
    ("body", "part_of_the_sentence"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"alerts=1", "not JSON"),
        (b'{"alerts": [', "not JSON"),
        (b'{"alerts": []} {}', "not JSON"),
        (b"\x00\x01\x02", "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not JSON"),
        (b"[]", "a list and not an object"),
        (b"null", "null and not an object"),
        (b'"alerts"', "a string and not an object"),
        (b"NaN", "a number and not an object"),
        (b"true", "true or false and not an object"),
        (b"{}", "no `alerts`"),
        (b'{"version": "4"}', "no `alerts`"),
        (b'{"ruleId": 1}', "no `alerts`"),
        (b'{"alerts": null}', "`alerts` is null, not a list"),
        (b'{"alerts": {"0": {}}}', "`alerts` is an object, not a list"),
        (b'{"alerts": "none"}', "`alerts` is a string, not a list"),
        (b'{"alerts": 7, "note": "\\u0000"}', "`alerts` is a number, not a list"),
    ],
)
def test_a_body_without_a_notification_is_refused_with_422(
    body: bytes, part_of_the_sentence: str
) -> None:
    refused = refusal(body)
    assert refused.status == 422
    assert part_of_the_sentence in refused.sentence


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 10_000, 1_000_000])
@pytest.mark.parametrize("text", ["", "\\u0000", "\\ud800"])
def test_json_nested_too_deeply_is_refused_with_422(levels: int, text: str) -> None:
    refused = refusal(nested(levels, text=text))
    assert refused.status == 422
    assert "nested too deeply" in refused.sentence


def test_ten_thousand_levels_that_never_close_are_refused_with_422() -> None:
    assert refusal(b"[" * 10_000).status == 422
    assert refusal(b'{"alerts":' * 10_000).status == 422


@pytest.mark.parametrize("text", ["", "\\u0000"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("core", [b"1", b"[]", b"{}"])
def test_both_readers_have_the_same_limit(
    text: str, opening: bytes, closing: bytes, core: bytes
) -> None:
    deepest = nested(MAX_DEPTH, text=text, opening=opening, core=core, closing=closing)
    assert parse(deepest).alerts == ()
    beyond = nested(MAX_DEPTH + 1, text=text, opening=opening, core=core, closing=closing)
    assert refusal(beyond).status == 422


@pytest.mark.parametrize("note", ["fine", "\ud800"])
def test_deep_nesting_inside_one_alert_counts_from_the_top(note: str) -> None:
    deep: object = "bottom"
    for _ in range(MAX_DEPTH - 3):
        deep = [deep]
    assert len(parse(group(item(extra=deep, note=note))).alerts) == 1
    assert refusal(group(item(extra=[deep], note=note))).status == 422


def test_more_alerts_than_any_sender_groups_are_refused_with_422() -> None:
    body = json.dumps({"version": "4", "alerts": [1] * (MAX_ALERTS + 1)}).encode()
    refused = refusal(body)
    assert refused.status == 422
    assert "max_alerts" in refused.sentence


def test_a_refusal_does_not_repeat_the_body() -> None:
    assert "hunter2" not in refusal(b'{"password": "hunter2"').sentence
    assert "hunter2" not in refusal(b'{"password": "hunter2"}').sentence
