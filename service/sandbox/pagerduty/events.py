"""PagerDuty's Events API v2: incidents by deduplication key, and change events."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.clock import iso_millis
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, one_of
from service.sandbox.pagerduty.state import Pager

Args = Mapping[str, str]

LARGEST_EVENT = 512 * 1024
LONGEST_KEY = 255
ROUTING_KEY_LENGTH = 32
LONGEST_SUMMARY = 1024
"""The Events API's documented limits: bytes of an event, characters of key and summary."""
LONGEST_FIELD = 255
"""Characters of source, component, group and class. The vendor limits them without documenting the
number. This is the limit of its key."""
_FIELDS = ("source", "component", "group", "class")

_ACTIONS = ("trigger", "acknowledge", "resolve")
_SEVERITIES = ("critical", "error", "warning", "info")


def no_such_operation() -> Answer:
    """The answer for a path or method that the vendor, or this sandbox, does not have."""
    return Answer(404, {"status": "not found", "message": "Not Found"})


def enqueue(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/enqueue."""
    event = as_object(call.body)
    if answer := _refused(call, _event_problems(event)):
        return answer
    key = (event["routing_key"], event.get("dedup_key") or uuid.uuid4().hex)
    match event["event_action"]:
        case "trigger":
            cloud.state(Pager).trigger(key, event, call.now)
        case "acknowledge":
            cloud.state(Pager).acknowledge(key, call.now)
        case _:
            cloud.state(Pager).resolve(key, call.now)
    return Answer(202, {"status": "success", "message": "Event processed", "dedup_key": key[1]})


def change(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/change/enqueue."""
    event = as_object(call.body)
    if answer := _refused(call, _change_problems(event)):
        return answer
    payload = event["payload"]
    cloud.state(Pager).changes.append(
        {
            "summary": payload["summary"],
            "source": payload.get("source"),
            "timestamp": payload.get("timestamp"),
            "custom_details": payload.get("custom_details"),
            "links": event.get("links") or [],
            "at": iso_millis(call.now),
        }
    )
    return Answer(202, {"status": "success", "message": "Change event processed"})


def _refused(call: Call, problems: list[str]) -> Answer | None:
    if len(call.raw) > LARGEST_EVENT:
        return _invalid(413, ["The event is larger than 512 KB"])
    if not isinstance(call.body, dict):
        return _invalid(400, ["Body is not a JSON object"])
    return _invalid(400, problems) if problems else None


def _invalid(status: int, problems: list[str]) -> Answer:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": problems}
    return Answer(status, body)


def _key_problems(event: Json) -> list[str]:
    """What is wrong with the routing key. The vendor checks its length before anything else."""
    key = event.get("routing_key")
    if isinstance(key, str) and key and len(key) != ROUTING_KEY_LENGTH:
        said = f"Length of 'routing_key' is incorrect (should be {ROUTING_KEY_LENGTH} characters)"
        return [said]
    return _blank(event, "routing_key")


def _event_problems(event: Json) -> list[str]:
    problems = _key_problems(event)
    action, key = event.get("event_action"), event.get("dedup_key")
    if action not in _ACTIONS:
        problems.append("'event_action' must be one of trigger, acknowledge or resolve")
    if key is not None and (not isinstance(key, str) or len(key) > LONGEST_KEY):
        problems.append(f"'dedup_key' must be a string of at most {LONGEST_KEY} characters")
    if one_of(action, ("acknowledge", "resolve")) and not key:
        problems.append("'dedup_key' is missing or blank")
    if action == "trigger":
        problems += _payload_problems(event.get("payload"))
    return problems + _list_problems(event)


def _payload_problems(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    problems = [*_blank(payload, "summary", "payload."), *_blank(payload, "source", "payload.")]
    if payload.get("severity") not in _SEVERITIES:
        problems.append("'payload.severity' must be one of critical, error, warning or info")
    return problems + _length_problems(payload)


def _change_problems(event: Json) -> list[str]:
    problems, payload = _key_problems(event), event.get("payload")
    if not isinstance(payload, dict):
        return [*problems, "'payload' is missing or blank"]
    problems += _blank(payload, "summary", "payload.") + _length_problems(payload)
    return problems + _list_problems(event)


def _length_problems(payload: Json) -> list[str]:
    limits = {"summary": LONGEST_SUMMARY, **dict.fromkeys(_FIELDS, LONGEST_FIELD)}
    return [
        f"'payload.{name}' must be at most {limit} characters"
        for name, limit in limits.items()
        if len(str(payload.get(name) or "")) > limit
    ]


def _list_problems(event: Json) -> list[str]:
    lists = {name: event.get(name) or [] for name in ("links", "images")}
    problems = [f"'{name}' must be a list" for name, one in lists.items() if type(one) is not list]
    links = lists["links"] if type(lists["links"]) is list else []
    if any(not isinstance(link, dict) or not link.get("href") for link in links):
        problems.append("each of 'links' needs an 'href'")
    return problems


def _blank(body: Json, name: str, prefix: str = "") -> list[str]:
    value = body.get(name)
    missing = not isinstance(value, str) or not value.strip()
    return [f"'{prefix}{name}' is missing or blank"] if missing else []


ROUTES = (
    Route("POST", "/v2/enqueue", enqueue),
    Route("POST", "/v2/change/enqueue", change),
)
