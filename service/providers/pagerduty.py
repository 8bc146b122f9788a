"""PagerDuty Events v2. Every event may be sent twice: identity is the dedup_key.

So a page whose answer never came is simply sent again, and no error of this module is UNKNOWN: a
second trigger joins the open incident, a second resolve is dropped. A repeated change event is a
second line in a list, which is cheaper than none.

What the SDK (pagerduty 7.2) does otherwise: it repeats a 429 for ever, sleeps between its own
retries, waits 60 s, refuses plain HTTP, crashes when it has to make a time stamp itself, and puts
a part of the routing key into its error messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
from pagerduty import Error as PagerDutyError
from pagerduty import EventsApiV2Client, UrlError

from service.domain.errors import FailureKind
from service.ports import Page
from service.providers.errors import Call, from_status, no_answer, vendor_message
from service.providers.text import cut
from service.providers.waits import Timeouts, retry_after

ENDPOINT = "https://events.pagerduty.com"
SUMMARY_LIMIT = 1024
"""Characters the vendor takes in a summary."""
DETAILS_LIMIT = 400_000
"""Bytes of details that are sent; the vendor takes 512 KB for the whole event."""


class PagerDutyPager:
    """Pages, as `service.ports.Pager`. Safe for threads."""

    def __init__(
        self, *, routing_key: str, base_url: str = ENDPOINT, timeouts: Timeouts | None = None
    ) -> None:
        self._routing_key = routing_key
        self._client = _EventsClient(routing_key, base_url, timeouts or Timeouts())

    def trigger(self, page: Page) -> None:
        """Open the incident of `page.dedup_key`, or add to it."""
        event: dict[str, Any] = {"payload": _payload(page), "client": "runbookd"}
        if page.links:
            event["links"] = [{"href": href, "text": text} for href, text in page.links]
        self._send(
            f"trigger {page.dedup_key}",
            lambda: self._client.send_event("trigger", dedup_key=page.dedup_key, **event),
        )

    def resolve(self, dedup_key: str) -> None:
        """Close the incident; dropped by the vendor when none is open."""
        self._send(f"resolve {dedup_key}", lambda: self._client.resolve(dedup_key))

    def change(self, summary: str, source: str, details: Mapping[str, Any]) -> None:
        """Record a change event: shown beside incidents, wakes nobody."""
        payload = {
            "summary": cut(summary, SUMMARY_LIMIT),
            "source": source,
            "timestamp": _now(),
            "custom_details": _fitting(details),
        }
        self._send("record a change", lambda: self._client.send_change_event(payload))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _send(self, operation: str, send: Callable[[], object]) -> None:
        call = Call("pagerduty", operation, True, "PAGERDUTY_ROUTING_KEY", self._routing_key)
        try:
            send()
        except _NotAccepted as problem:
            status, said, wait = problem.args
            raise from_status(call, status, said, wait) from problem
        except UrlError as problem:
            raise call.error(
                FailureKind.PERMANENT, f"the address is no URL: {problem}."
            ) from problem
        except (PagerDutyError, httpx2.HTTPError) as problem:
            # The SDK's own words may hold a part of the routing key; the cause's do not.
            cause = problem.__cause__ or problem
            raise no_answer(call, type(cause).__name__) from problem


class _NotAccepted(Exception):  # noqa: N818 - an answer on its way out of the SDK
    """An answer that is no success: status, message, seconds to wait."""


class _EventsClient(EventsApiV2Client):
    """The SDK's client with one try, our time-outs, and any scheme (the sandbox has no TLS)."""

    max_network_attempts = 0
    timeout: Any  # the SDK says int and hands it to httpx2, which also takes a Timeout

    def __init__(self, routing_key: str, base_url: str, timeouts: Timeouts) -> None:
        super().__init__(
            routing_key, base_url=base_url, trust_env=not base_url.startswith("http://")
        )
        self.timeout = httpx2.Timeout(
            timeouts.read, connect=timeouts.connect, pool=timeouts.connect
        )

    @property
    def url(self) -> str:
        """The base address of the API."""
        return str(self._url)

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._url = new_base_url

    def postprocess(self, response: httpx2.Response) -> None:
        """The SDK's hook after each answer: leave with a failure before the SDK repeats it."""
        if response.is_success:
            return
        try:
            said = vendor_message(response.json())
        except ValueError:
            said = response.text
        raise _NotAccepted(
            response.status_code, said, retry_after(response.headers, response.status_code)
        )


def _payload(page: Page) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "summary": cut(page.summary, SUMMARY_LIMIT),
        "source": page.source,
        "severity": page.severity,
        "timestamp": _now(),
        "custom_details": _fitting(page.details),
    }
    optional = {"component": page.component, "group": page.group}
    return payload | {name: value for name, value in optional.items() if value}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _fitting(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details up to the vendor's limit, and a word on how many were left out."""
    kept: dict[str, Any] = {}
    size = 0
    for name, value in details.items():
        size += len(json.dumps({name: value}, default=str))
        if size > DETAILS_LIMIT:
            left_out = len(details) - len(kept)
            return kept | {"left out": f"{left_out} more details, too large for one event"}
        kept[name] = value
    return kept
