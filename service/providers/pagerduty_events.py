"""A page as PagerDuty's event: cut to its limits, and in smaller sizes for when it is refused.

A page must go out, whatever an alert brings. So no text of an alert goes in at its full length,
and a page that the vendor refuses is followed by one that holds less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import Any

from service.domain.links import MOST_LINKS, Link, is_web_address
from service.domain.text import cut, one_line, visible
from service.ports import Page

Event = dict[str, Any]

SUMMARY_LIMIT = 1024
"""Characters the vendor takes in a summary (Events API v2)."""
KEY_LIMIT = 255
"""Characters the vendor takes in a dedup_key (Events API v2)."""
FIELD_LIMIT = 255
"""Characters of source, component and group. The vendor documents no number; names are shorter."""
DETAIL_LIMIT = 4_000
"""Characters of one text within the details: more is no detail, and hides the others."""
DETAILS_LIMIT = 400_000
"""Bytes of details that are sent; the vendor takes 512 KB for the whole event."""
_HASH = 16


def trigger_events(page: Page) -> list[Event]:
    """The page from its full size down to its smallest; what holds no less is left out."""
    key, at = key_within_limit(page.dedup_key), _now()
    sizes: list[Event] = []
    for payload, links in _sizes(page):
        event: Event = {
            "dedup_key": key,
            "payload": payload | {"timestamp": at},
            "client": "runbookd",
        }
        if links:
            event["links"] = links
        if event not in sizes:
            sizes.append(event)
    return sizes


def key_within_limit(key: str) -> str:
    """The key within the vendor's limit; two long keys never become one."""
    if len(key) <= KEY_LIMIT:
        return key
    digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{key[: KEY_LIMIT - _HASH - 1]}~{digest}"


def change_payload(summary: str, source: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of a change event."""
    return {
        "summary": _text(summary, SUMMARY_LIMIT),
        "source": _text(source, FIELD_LIMIT),
        "timestamp": _now(),
        "custom_details": _fitting(details),
    }


def event_links(pairs: Sequence[Link]) -> list[dict[str, str]]:
    """The links of an event: those that may be shown, as many as the vendor is sent."""
    fit = [(href, text) for href, text in pairs if is_web_address(href)]
    return [
        {"href": visible(href), "text": _text(text, FIELD_LIMIT)} for href, text in fit[:MOST_LINKS]
    ]


def _fitting(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details up to our limits, and a word on how many were left out."""
    kept: dict[str, Any] = {}
    size = 0
    for name, value in details.items():
        shorter = _shorter({name: value})
        size += len(json.dumps(shorter))
        if size > DETAILS_LIMIT:
            left_out = len(details) - len(kept)
            return kept | {"left out": f"{left_out} more details, too large for one event"}
        kept |= shorter
    return kept


def _sizes(page: Page) -> Iterator[tuple[dict[str, Any], list[dict[str, str]]]]:
    """Payload and links: everything; the fields alone; what the vendor asks for, in plain ASCII."""
    least = {
        "summary": _text(page.summary, SUMMARY_LIMIT) or "An alert without a summary",
        "source": _text(page.source, FIELD_LIMIT) or "runbookd",
        "severity": page.severity,
    }
    optional = {"component": page.component, "group": page.group}
    fields = {name: _text(value, FIELD_LIMIT) for name, value in optional.items() if value}
    details = {"custom_details": _fitting(page.details)} if page.details else {}
    yield least | fields | details, event_links(page.links)
    yield least | fields, []
    yield least | {name: _plain(least[name]) for name in ("summary", "source")}, []


def _shorter(value: Any) -> Any:
    """The same as JSON that can be sent, its texts cut."""
    if isinstance(value, Mapping):
        return {_text(str(name), FIELD_LIMIT): _shorter(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shorter(one) for one in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return cut(visible(str(value)[: DETAIL_LIMIT + 1]), DETAIL_LIMIT)


def _text(text: str, limit: int) -> str:
    # Cut twice: only what may be shown is looked at, and an escape is longer than its character.
    return cut(one_line(text[: limit * 2]), limit)


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:FIELD_LIMIT]


def _now() -> str:
    return datetime.now(UTC).isoformat()
