"""The webhooks: declared size, authentication, body, parsing, admission, answer, in that order.

2xx means that the alert is stored: the answer is made from the receipt, which exists only after the
commit. A request that can never succeed gets a 4xx. Everything else gets a 503, our own mistakes
included, because Alertmanager retries a 5xx and drops an alert that is refused in any other way.

The webhooks are plain WSGI in front of the Flask application. In a storm, Flask's routing, contexts
and signals cost as much as parsing the notification (docs/performance.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import Counter

from service import telemetry
from service.bootstrap.senders import senders_of
from service.domain.alerts.alert import Notification
from service.domain.errors import StoreUnavailable
from service.intake.parse import PayloadRefused, parse_notification
from service.ports.admission import Delivery, Receipt
from service.settings import Settings
from service.web.answers import Answer, refusal
from service.web.auth import HAS_AUTHENTICATED, webhook_credentials
from service.web.body import (
    SMALL,
    BodyCutShort,
    BodyTooLarge,
    Hold,
    InFlight,
    TooMuchInFlight,
    declared_length,
    is_gzip,
    read_body,
    unpacked,
)
from service.web.concurrency import Concurrency, Work, at_once
from service.web.open_mode import turn_away
from service.web.receipts import count, receipt_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Submit = Callable[[Delivery], Receipt]
"""Waits until a delivery is committed (`GroupCommitter.submit`)."""

LARGE = 256 * 1024
"""Bytes of a body, about 500 alerts, above which it is parsed and answered on another thread: that
takes milliseconds."""

MANY_PIECES = 4_096
"""Commas of a body above which it is parsed on another thread, for the same reason. Their number
bounds how many alerts and labels the body has. An alert that is quarantined may be as short as its
comma, and takes 2 to 4 µs."""

IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of all large bodies that are held at a time. One body of the largest size always has
room."""

METHODS = ("POST", "PUT")
"""A Grafana contact point may send either."""

_log = structlog.get_logger(__name__)


class Webhooks:
    """Answers /webhooks/<source>, and passes every other request to the rest of the application."""

    def __init__(self, endpoints: Iterable[Endpoint], rest: WSGIApplication) -> None:
        self._rest = rest
        self._endpoints: Mapping[str, Endpoint] = {
            path: endpoint
            for endpoint in endpoints
            # With a 404, a slash too many at the sender would lose every alert.
            for path in (f"/webhooks/{endpoint.source}", f"/webhooks/{endpoint.source}/")
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as a WSGI application."""
        endpoint = self._endpoints.get(environ["PATH_INFO"])
        if endpoint is None:
            return self._rest(environ, start_response)
        answered = endpoint.answer(environ)
        start_response(answered.status_line, answered.headers)
        return (answered.body,)


class Endpoint:
    """The webhook of one source. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        source: str,
        settings: Settings,
        submit: Submit,
        concurrency: Concurrency,
        clock: Callable[[], float],
        in_flight: InFlight,
    ) -> None:
        self.source = source
        self._credentials = webhook_credentials(settings, source)
        self._limit = settings.max_body_bytes
        self._host = settings.host
        self._in_flight = in_flight
        self._submit = submit
        self._concurrency = concurrency
        self._clock = clock
        self._seconds = telemetry.REQUEST_SECONDS.labels(source)
        self._answered = lru_cache(maxsize=32)(self._notifications_with)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """The answer to one request. Never raises."""
        began = time.perf_counter()
        try:
            answered = self._taken_in(environ)
        except BodyTooLarge as error:
            answered = refusal(413, str(error))
        except PayloadRefused as error:
            answered = refusal(error.status, error.sentence)
        except (StoreUnavailable, BodyCutShort, TooMuchInFlight) as error:
            answered = refusal(503, str(error))
        except Exception:
            _log.exception("a notification could not be answered", source=self.source)
            answered = refusal(503, "Something unexpected went wrong here; send it again.")
        self._answered(answered.status).inc()
        self._seconds.observe(time.perf_counter() - began)
        return answered

    def _notifications_with(self, status: int) -> Counter:
        return telemetry.NOTIFICATIONS.labels(self.source, str(status))

    def _taken_in(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] not in METHODS:
            return refusal(
                405,
                f"Notifications come by {' or '.join(METHODS)}.",
                ("Allow", ", ".join(METHODS)),
            )
        refused = self._credentials.refuse(environ.get("HTTP_AUTHORIZATION"))
        if refused is None and HAS_AUTHENTICATED in environ:
            environ[HAS_AUTHENTICATED]()
        length = declared_length(environ, self._limit)
        if refused is not None:
            return refusal(401, refused.sentence, ("WWW-Authenticate", refused.challenge))
        turned_away = turn_away(environ, self._host) if self._credentials.open_ else None
        if turned_away is not None:
            return turned_away
        packed = is_gzip(environ)
        if length is not None and length <= SMALL and not packed:
            body = read_body(environ, length, self._limit)
            return self._decided(environ, body, self._work_for(body))
        with self._in_flight.request() as hold:
            body = read_body(environ, length, self._limit, hold)
            if packed:
                body = self._unpacked(body, hold)
            return self._decided(environ, body, self._work_for(body))

    def _unpacked(self, body: bytes, hold: Hold) -> bytes:
        """Decompress on another thread: a few kilobytes may become the largest notification."""
        return self._concurrency.one_by_one(lambda: unpacked(body, self._limit, hold))

    def _work_for(self, body: bytes) -> Work:
        """Where to parse a body: on another thread if it would hold up the loop."""
        if len(body) > LARGE or (len(body) > MANY_PIECES and body.count(b",") > MANY_PIECES):
            return self._concurrency.one_by_one
        return at_once

    def _decided(self, environ: dict[str, Any], body: bytes, work: Work) -> Answer:
        """Parse, wait for the commit, and answer. `work` runs the parts that take time."""
        received_at = self._clock()
        notification = work(
            lambda: parse_notification(
                body,
                source=self.source,
                content_type=environ.get("CONTENT_TYPE") or "",
                received_at=datetime.fromtimestamp(received_at, UTC),
            )
        )
        delivery = Delivery(
            notification,
            received_at,
            credential=self._credentials.name_of(environ.get("HTTP_AUTHORIZATION")),
            address=environ.get("REMOTE_ADDR") or "",
        )
        receipt = self._submit(delivery)
        return work(lambda: _kept(notification, receipt))


def _kept(notification: Notification, receipt: Receipt) -> Answer:
    count(notification, receipt)
    return Answer(200, receipt_body(receipt))


def endpoints(
    settings: Settings, submit: Submit, concurrency: Concurrency, clock: Callable[[], float]
) -> list[Endpoint]:
    """One endpoint for each source. Together they hold a bounded number of bytes at a time."""
    in_flight = InFlight(max(IN_FLIGHT, settings.max_body_bytes))
    return [
        Endpoint(sender.source, settings, submit, concurrency, clock, in_flight)
        for sender in senders_of(settings)
    ]
