"""The webhooks: size, authentication, parsing, admission, answer; in that order.

2xx means kept: the answer is made from the receipt, which exists only after the commit. What can
never succeed is a 4xx; everything else, our own mistakes included, is a 503, because Alertmanager
retries a 5xx and drops an alert that is refused in any other way.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from flask import Blueprint, Response, request

from service import telemetry
from service.domain.alert import Notification
from service.domain.errors import StoreUnavailable
from service.intake.parse import PayloadRefused, parse_notification
from service.ports.admission import Delivery, Receipt, Verdicted
from service.settings import Settings
from service.web.answers import answer, iso, refusal
from service.web.auth import WEBHOOK_VARIABLES, Credentials, webhook_credentials
from service.web.body import BodyCutShort, BodyTooLarge, read_body

Submit = Callable[[Delivery], Receipt]
"""Waits until a delivery is committed (`GroupCommitter.submit`)."""

_log = structlog.get_logger(__name__)


def blueprint(settings: Settings, submit: Submit, clock: Callable[[], float]) -> Blueprint:
    """One address per source; each takes every format."""
    webhooks = Blueprint("webhooks", __name__, url_prefix="/webhooks")
    for source in WEBHOOK_VARIABLES:
        door = Door(source, webhook_credentials(settings, source), settings.max_body_bytes)
        webhooks.add_url_rule(
            f"/{source}",
            endpoint=source,
            view_func=_view(door, submit, clock),
            methods=["POST", "PUT"],
            provide_automatic_options=False,
        )
    return webhooks


class Door:
    """Where one source comes in: what it must show, and how much it may bring."""

    def __init__(self, source: str, credentials: Credentials, limit: int) -> None:
        self.source = source
        self._credentials = credentials
        self._limit = limit
        self._seconds = telemetry.REQUEST_SECONDS.labels(source)

    def take_in(
        self, environ: dict[str, Any], submit: Submit, clock: Callable[[], float]
    ) -> Response:
        """The answer to one request."""
        began = time.perf_counter()
        response = self._answered(environ, submit, clock)
        telemetry.NOTIFICATIONS.labels(self.source, str(response.status_code)).inc()
        self._seconds.observe(time.perf_counter() - began)
        return response

    def _answered(
        self, environ: dict[str, Any], submit: Submit, clock: Callable[[], float]
    ) -> Response:
        try:
            body = read_body(environ, self._limit)
            refused = self._credentials.refuse(environ.get("HTTP_AUTHORIZATION"))
            if refused is not None:
                response = refusal(401, refused.sentence)
                response.headers["WWW-Authenticate"] = refused.challenge
                return response
            received_at = clock()
            notification = self._parsed(environ, body, received_at)
            receipt = submit(Delivery(notification, received_at))
            count(notification, receipt)
            return answer(receipt_json(receipt))
        except BodyTooLarge as error:
            return refusal(413, str(error))
        except PayloadRefused as error:
            return refusal(error.status, error.sentence)
        except (StoreUnavailable, BodyCutShort) as error:
            return refusal(503, str(error))
        except Exception:
            _log.exception("a notification could not be answered", source=self.source)
            return refusal(503, "Something unexpected went wrong here; send it again.")

    def _parsed(self, environ: dict[str, Any], body: bytes, received_at: float) -> Notification:
        return parse_notification(
            body,
            source=self.source,
            content_type=environ.get("CONTENT_TYPE") or "",
            received_at=datetime.fromtimestamp(received_at, UTC),
        )


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """What the sender is told: each decision, and what was set aside."""
    return {
        "notification": receipt.delivery,
        "decisions": [_decision_json(verdicted) for verdicted in receipt.verdicts],
        "quarantined": [
            {"index": each.index, "reason": each.reason} for each in receipt.quarantined
        ],
    }


def _decision_json(verdicted: Verdicted) -> dict[str, Any]:
    decision = verdicted.decision
    return {
        "alert": verdicted.alert,
        "rule": decision.rule,
        "target": decision.target,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "run": decision.run,
        "until": iso(decision.until),
        "guard": decision.guard,
    }


def count(notification: Notification, receipt: Receipt) -> None:
    """Metrics of one notification; counted first, because a group may be ten thousand alerts."""
    source = notification.source
    for status, alerts in Counter(alert.status for alert in notification.alerts).items():
        telemetry.ALERTS.labels(source, status.value).inc(alerts)
    kinds = Counter(
        (each.decision.rule, each.decision.action, each.decision.verdict, each.decision.guard)
        for each in receipt.verdicts
    )
    for (rule, action, verdict, guard), times in kinds.items():
        telemetry.DECISIONS.labels(rule, action.value, verdict.value, guard).inc(times)
    if receipt.quarantined:
        telemetry.QUARANTINED.labels(source).inc(len(receipt.quarantined))


def _view(door: Door, submit: Submit, clock: Callable[[], float]) -> Callable[[], Response]:
    def view() -> Response:
        return door.take_in(request.environ, submit, clock)

    return view
