"""The health of the process: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.domain.people import Person
from service.web.answers import answer, refusal
from service.web.auth import Unauthorized
from service.web.measures import Measures
from service.web.open_mode import turn_away_reader
from service.web.parts import WebParts
from service.web.people import Doorkeeper, doorkeeper
from service.web.probe import Probe, Unanswered

_log = structlog.get_logger(__name__)

_WITHHELD = "the database cannot be used; the log says why, and so does this with an API token"
"""The answer to somebody without a token. The reason itself may name hosts, users and files."""

HEALTH = ("/healthz", "/readyz")
"""The paths by which a platform decides whether this process gets requests, and whether it lives
on."""
READY_S = 1.0
"""Seconds within which a write must be on the disk. Kubernetes gives a probe one second."""


def blueprint(parts: WebParts, kept_within: Callable[[float], bool]) -> Blueprint:
    """The endpoints for platforms and Prometheus.

    /healthz and /readyz need no token, because a platform asks without one. /metrics needs a token
    of the API. Without API_TOKENS a scraper is on this machine, so it asks for this machine, too.
    `kept_within` says whether alerts were stored within the last so many seconds.
    """
    ops = Blueprint("ops", __name__)
    keeper = doorkeeper(parts.settings, parts.stored_tokens, parts.clock)
    store: Probe[int] = Probe(lambda: _look(parts), READY_S)
    measures = Measures(lambda: parts.status(None), parts.ended_runs, parts.clock)

    @ops.get("/healthz")
    def healthz() -> Response:
        return answer({"status": "ok"}).to_flask()

    @ops.get("/readyz")
    def readyz() -> Response:
        state, ready = readiness(parts, store, kept_within)
        if not ready:
            _log.error("not_ready", store=state["store"])
            # Only API_TOKENS are compared: the other tokens are in the store, which is away.
            if _refused(replace(keeper, stored=_nobody), parts.settings.host) is not None:
                state["store"] = _WITHHELD
        return answer(state, 200 if ready else 503).to_flask()

    @ops.get("/metrics")
    def metrics() -> Response:
        refused = _refused(keeper, parts.settings.host)
        if refused is not None:
            return refused
        text = telemetry.exposition() + measures.exposition()
        return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return ops


def _refused(keeper: Doorkeeper, own_host: str) -> Response | None:
    """The answer to somebody without a token of the API. None for all others."""
    found = keeper.person(request.environ.get("HTTP_AUTHORIZATION"), request.remote_addr or "")
    if not isinstance(found, Unauthorized):
        away = turn_away_reader(request.environ, own_host) if keeper.asks_without(found) else None
        return None if away is None else away.to_flask()
    said = refusal(401, found.sentence, ("WWW-Authenticate", found.challenge))
    return said.to_flask()


def _nobody(_now: float) -> dict[str, Person]:
    return {}


def readiness(
    parts: WebParts, store: Probe[int], kept_within: Callable[[float], bool]
) -> tuple[dict[str, Any], bool]:
    """The state for /readyz, and whether this process is ready.

    Ready means that alerts can be stored. Redis and workers are only shown: both can be missing for
    a while without an alert being lost.
    """
    workers: int | None = None
    ready, said = True, "ok"
    try:
        workers = store.ask()
    except StoreUnavailable as error:
        ready, said = False, str(error)
    except Unanswered:
        # In a storm on SQLite, the test write may wait behind the alerts that are being stored.
        ready = kept_within(READY_S)
        said = "ok" if ready else f"the database took no write within {READY_S:g} s"
    return {"ready": ready, "store": said, **_redis(parts), "workers": workers}, ready


def _look(parts: WebParts) -> int:
    parts.prove_write()
    return parts.live_workers()


def _redis(parts: WebParts) -> dict[str, str]:
    if not parts.settings.redis_url:
        return {"redis": "not configured: decisions are made on SQL alone"}
    try:
        answers = parts.redis_ping()
    except Exception:
        # Alerts can be stored without Redis, so nothing about Redis makes this process unready.
        _log.warning("the Redis probe failed", exc_info=True)
        answers = False
    return {"redis": "ok" if answers else "does not answer: decisions are made on SQL alone"}
