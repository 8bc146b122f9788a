"""The webhooks: declared size, authentication, body, parsing, admission, answer; in that order.

2xx means kept: the answer is made from the receipt, which exists only after the commit. What can
never succeed is a 4xx; everything else, our own mistakes included, is a 503, because Alertmanager
retries a 5xx and drops an alert that is refused in any other way.

This is a piece of WSGI before the Flask application rather than a part of it: in a storm, Flask's
routing, contexts and signals cost as much as parsing the notification does (docs/performance.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

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
"""Bytes of a body that is parsed and answered aside: it takes milliseconds, some 500 alerts."""

MANY_PIECES = 4_096
"""Commas of a body that is parsed aside for the same reason. They bound how many alerts and labels
it has, and one that has to be quarantined takes a comma and 2 to 4 µs."""

IN_FLIGHT = 64 * 1024 * 1024
"""Bytes of large bodies that are taken at a time, or one body of the largest size."""

METHODS = ("POST", "PUT")
"""Grafana's contact points may send either."""

_log = structlog.get_logger(__name__)


class Webhooks:
    """Answers /webhooks/<source>; everything else goes on to the rest of the application."""

    def __init__(self, endpoints: Iterable[Endpoint], rest: WSGIApplication) -> None:
        self._rest = rest
        self._endpoints: Mapping[str, Endpoint] = {
            path: endpoint
            for endpoint in endpoints
            # A slash too many at the sender would be a 404, and every alert lost.
            for path in (f"/webhooks/{endpoint.source}", f"/webhooks/{endpoint.source}/")
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request, as WSGI has it."""
        endpoint = self._endpoints.get(environ["PATH_INFO"])
        if endpoint is None:
            return self._rest(environ, start_response)
        answered = endpoint.answer(environ)
        start_response(answered.status_line, answered.headers)
        return (answered.body,)


class Endpoint:
    """Where one source comes in. `clock` gives seconds since the epoch."""

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

    def answer(self, environ: dict[str, Any]) -> Answer:
        """The answer to one request, whatever happens."""
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
        telemetry.NOTIFICATIONS.labels(self.source, str(answered.status)).inc()
        self._seconds.observe(time.perf_counter() - began)
        return answered

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
        """Aside, because a few kilobytes may become the largest notification."""
        return self._concurrency.one_by_one(lambda: unpacked(body, self._limit, hold))

    def _work_for(self, body: bytes) -> Work:
        """Aside for a body that would hold the loop up."""
        if len(body) > LARGE or (len(body) > MANY_PIECES and body.count(b",") > MANY_PIECES):
            return self._concurrency.one_by_one
        return at_once

    def _decided(self, environ: dict[str, Any], body: bytes, work: Work) -> Answer:
        """Parse, wait for the commit, and answer; `work` is called with what takes time."""
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
    """One for each source; together they take a bounded number of bytes at a time."""
    in_flight = InFlight(max(IN_FLIGHT, settings.max_body_bytes))
    return [
        Endpoint(sender.source, settings, submit, concurrency, clock, in_flight)
        for sender in senders_of(settings)
    ]
