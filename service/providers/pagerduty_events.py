"""Makes PagerDuty's events from pages: within its limits, and in smaller sizes if it refuses one.

A page must arrive, whatever an alert holds. So every text of an alert is cut, and a page that the
vendor refuses is followed by a smaller one.
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
"""Characters of source, component and group. The vendor documents no limit. Names are shorter."""
DETAIL_LIMIT = 4_000
"""Characters of one text in the details. A longer one would hide the others."""
DETAILS_LIMIT = 400_000
"""Bytes of all details. The vendor takes 512 KB for the whole event."""
_HASH = 16
"""Characters of the hash at the end of a key that was cut."""


def trigger_events(page: Page) -> list[Event]:
    """The events for a page, from its full size down to the smallest. Equal ones come once."""
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
    """The key within the vendor's limit. A hash keeps two long keys different."""
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
    """The links of an event: only http and https, at most `MOST_LINKS`."""
    fit = [(href, text) for href, text in pairs if is_web_address(href)]
    return [
        {"href": visible(href), "text": _text(text, FIELD_LIMIT)} for href, text in fit[:MOST_LINKS]
    ]


def _fitting(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details within our limits. If some do not fit, an entry says how many."""
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
    """Three sizes of payload and links: everything; no details; only required fields, in ASCII."""
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
    """The value as JSON can hold it, with its texts cut."""
    if isinstance(value, Mapping):
        return {_text(str(name), FIELD_LIMIT): _shorter(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shorter(one) for one in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return cut(visible(str(value)[: DETAIL_LIMIT + 1]), DETAIL_LIMIT)


def _text(text: str, limit: int) -> str:
    # Cut before, so that little is escaped; and after, because an escape is longer than its
    # character.
    return cut(one_line(text[: limit * 2]), limit)


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:FIELD_LIMIT]


def _now() -> str:
    return datetime.now(UTC).isoformat()
