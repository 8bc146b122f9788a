"""PagerDuty's events: identity, order and limits."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.sandbox.support import Sandbox

PAYLOAD = {"summary": "High error rate", "source": "quizmentor", "severity": "critical"}


def send(sandbox: Sandbox, action: str = "trigger", key: str | None = "k", **more: Any) -> Any:
    event: dict[str, Any] = {
        "routing_key": "test-routing-key-of-32-character",
        "event_action": action,
        "dedup_key": key,
        "payload": PAYLOAD,
    } | more
    return sandbox.call("POST", "/pagerduty/v2/enqueue", event, token=None)


def incidents(sandbox: Sandbox) -> Any:
    return sandbox.state()["pagerduty"]["open"]


def test_triggers_with_one_key_are_one_incident() -> None:
    sandbox = Sandbox()
    answer: TestResponse = send(sandbox)
    assert answer.status_code == 202
    assert answer.json == {
        "status": "success",
        "message": "Event processed",
        "dedup_key": "k",
    }
    send(sandbox, payload=PAYLOAD | {"summary": "Still high"})
    (incident,) = incidents(sandbox)
    assert (incident["count"], incident["summary"]) == (2, "Still high")


def test_without_a_key_each_trigger_is_an_incident_of_its_own() -> None:
    sandbox = Sandbox()
    keys = {send(sandbox, key=None).json["dedup_key"] for _ in range(2)}
    assert {one["dedup_key"] for one in incidents(sandbox)} == keys
    assert len(keys) == 2


def test_the_same_key_of_another_integration_is_another_incident() -> None:
    sandbox = Sandbox()
    send(sandbox)
    send(sandbox, routing_key="test-another-key-of-32-character")
    assert len(incidents(sandbox)) == 2


def test_a_resolve_closes_what_is_open_and_is_dropped_otherwise() -> None:
    sandbox = Sandbox()
    assert send(sandbox, "resolve").status_code == 202
    assert sandbox.state()["pagerduty"]["resolved"] == []
    send(sandbox)
    send(sandbox, "acknowledge")
    assert incidents(sandbox)[0]["status"] == "acknowledged"
    send(sandbox, "resolve")
    assert incidents(sandbox) == []
    assert len(sandbox.state()["pagerduty"]["resolved"]) == 1
    send(sandbox)
    assert incidents(sandbox)[0]["count"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing_key": ""},
        {"routing_key": "k" * 31},
        {"routing_key": "k" * 33},
        {"event_action": "escalate"},
        {"dedup_key": "k" * 256},
        {"event_action": "resolve", "dedup_key": None},
        {"payload": None},
        {"payload": PAYLOAD | {"summary": ""}},
        {"payload": PAYLOAD | {"summary": "s" * 1025}},
        {"payload": PAYLOAD | {"source": None}},
        {"payload": PAYLOAD | {"source": "s" * 256}},
        {"payload": PAYLOAD | {"component": "c" * 256}},
        {"payload": PAYLOAD | {"group": "g" * 256}},
        {"payload": PAYLOAD | {"class": "c" * 256}},
        {"payload": PAYLOAD | {"severity": "fatal"}},
        {"links": [{"text": "no href"}]},
        {"links": "no list"},
    ],
)
def test_an_invalid_event_is_refused_with_its_errors(wrong: dict[str, Any]) -> None:
    sandbox = Sandbox()
    answer = send(sandbox, **wrong) if "dedup_key" not in wrong else None
    if answer is None:
        answer = send(sandbox, key=wrong["dedup_key"], **_without_key(wrong))
    assert answer.status_code == 400
    assert answer.json["status"] == "invalid event"
    assert answer.json["errors"]
    assert incidents(sandbox) == []


def _without_key(wrong: dict[str, Any]) -> dict[str, Any]:
    renamed = {name: value for name, value in wrong.items() if name != "dedup_key"}
    return {"action": renamed.pop("event_action", "trigger"), **renamed}


def test_the_longest_values_allowed_are_taken() -> None:
    sandbox = Sandbox()
    payload = PAYLOAD | {"summary": "s" * 1024}
    assert send(sandbox, key="k" * 255, payload=payload).status_code == 202


def test_an_event_above_512_kb_is_too_large() -> None:
    payload = PAYLOAD | {"custom_details": {"log": "x" * 530_000}}
    assert send(Sandbox(), payload=payload).status_code == 413


def test_a_change_event_is_kept_apart_from_incidents() -> None:
    sandbox = Sandbox()
    event = {
        "routing_key": "test-routing-key-of-32-character",
        "payload": {"summary": "api 2 → 3", "source": "runbookd"},
    }
    answer = sandbox.call("POST", "/pagerduty/v2/change/enqueue", event, token=None)
    assert answer.status_code == 202
    assert sandbox.state()["pagerduty"]["changes"][0]["summary"] == "api 2 → 3"
    assert incidents(sandbox) == []
    assert sandbox.call("POST", "/pagerduty/v2/change/enqueue", {}).status_code == 400
