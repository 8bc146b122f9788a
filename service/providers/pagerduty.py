"""PagerDuty Events v2. Every event may be sent twice, because the dedup_key identifies it.

So a page whose answer never came is sent again, and no error of this module is UNKNOWN. A second
trigger joins the open incident, and a second resolve is dropped. A repeated change event is only a
second line in a list.

The SDK (pagerduty 7.2) by itself repeats a 429 for ever, sleeps between its own retries, waits 60
s, refuses plain HTTP, crashes when it has to make a time stamp, and puts a part of the routing key
into its error messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx2
import structlog
from pagerduty import Error as PagerDutyError
from pagerduty import EventsApiV2Client, UrlError

from service.domain.errors import FailureKind, VendorError
from service.domain.links import Link
from service.ports import Page
from service.providers.errors import Call, from_status, no_answer, no_url, vendor_message
from service.providers.pagerduty_events import (
    change_payload,
    event_links,
    key_within_limit,
    trigger_events,
)
from service.providers.told import told
from service.providers.waits import Timeouts, retry_after

ENDPOINT = "https://events.pagerduty.com"
BACK_OFF_S = 60.0
"""Seconds to wait after a 429 that names no time. The vendor takes about 120 events a minute."""
_TAKEN = frozenset({"status", "dedup_key"})
"""The keys of a success of the vendor. The one of a change event has only `status`."""

_log = structlog.get_logger(__name__)


class PagerDutyPager:
    """The pager (`service.ports.Pager`). Safe for threads."""

    def __init__(
        self, *, routing_key: str, base_url: str = ENDPOINT, timeouts: Timeouts | None = None
    ) -> None:
        self._routing_key = routing_key
        self._client = _EventsClient(routing_key, base_url, timeouts or Timeouts())

    def trigger(self, page: Page) -> None:
        """Open the incident of `page.dedup_key`, or add to it.

        A page that is refused is sent again in a smaller size, because it must arrive.
        """
        *larger, smallest = trigger_events(page)
        for event in larger:
            try:
                self._trigger(event)
            except VendorError as error:
                if not _refused_as_it_was(error):
                    raise
                _log.warning("page_refused", error=str(error), next="a smaller one is sent")
            else:
                return
        self._trigger(smallest)

    def resolve(self, dedup_key: str) -> None:
        """Close the incident. The vendor ignores this if none is open."""
        key = key_within_limit(dedup_key)
        self._send(f"resolve {key}", lambda: self._client.resolve(key))

    def change(
        self,
        summary: str,
        source: str,
        details: Mapping[str, Any],
        links: Sequence[Link] = (),
    ) -> None:
        """Record a change event. It is shown beside incidents and wakes nobody."""
        payload, sent = change_payload(summary, source, details), event_links(links)
        self._send("record a change", lambda: self._client.send_change_event(payload, sent))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _trigger(self, event: dict[str, Any]) -> None:
        send = partial(self._client.send_event, "trigger", **event)
        self._send(f"trigger {event['dedup_key']}", send)

    def _send(self, operation: str, send: Callable[[], object]) -> None:
        call = Call("pagerduty", operation, True, "PAGERDUTY_ROUTING_KEY", self._routing_key)
        with told(call):
            self._answered(call, send)

    def _answered(self, call: Call, send: Callable[[], object]) -> None:
        try:
            send()
        except _NotAccepted as problem:
            status, said, wait = problem.args
            raise _backing_off(from_status(call, status, said, wait)) from problem
        except _Unreadable as problem:
            raise no_answer(call, 'the answer has neither "status" nor "dedup_key"') from problem
        except UrlError as problem:
            raise no_url(call, problem) from problem
        except (PagerDutyError, httpx2.HTTPError) as problem:
            # The SDK's own words may hold a part of the routing key; the cause's do not.
            cause = problem.__cause__ or problem
            raise no_answer(call, cause) from problem


def _refused_as_it_was(error: VendorError) -> bool:
    """Whether a smaller page may be accepted: after any 4xx but those that ask for a later try.

    A firewall in front of the vendor may refuse too. It answers 403 if it dislikes a word in a
    label.
    """
    client_error = HTTPStatus.BAD_REQUEST <= (error.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR
    return client_error and error.kind is FailureKind.PERMANENT


def _backing_off(error: VendorError) -> VendorError:
    """The error; a 429 always with a time to wait, because earlier tries would be counted too."""
    if error.status != HTTPStatus.TOO_MANY_REQUESTS or error.retry_after is not None:
        return error
    return VendorError(
        error.vendor, error.operation, error.kind, error.sentence, BACK_OFF_S, error.status
    )


class _NotAccepted(Exception):  # noqa: N818 - carries an answer out of the SDK
    """An answer that is no success. Its arguments: status, message, seconds to wait."""


class _Unreadable(Exception):  # noqa: N818 - carries an answer out of the SDK
    """A success that is not the vendor's answer, such as the page of a proxy."""


class _EventsClient(EventsApiV2Client):
    """The SDK's client with one try, with our time-outs, and also for plain HTTP (the sandbox)."""

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
        """The SDK's hook after each answer. It raises on a failure before the SDK would repeat
        it."""
        try:
            body = response.json()
        except ValueError:
            body = response.text
        if response.is_success:
            if not (isinstance(body, dict) and _TAKEN & body.keys()):
                raise _Unreadable
            return
        said = vendor_message(body)
        raise _NotAccepted(
            response.status_code, said, retry_after(response.headers, response.status_code)
        )
