"""How the process is: alive, ready, and in figures."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.web.answers import answer, refusal
from service.web.auth import Credentials, api_credentials
from service.web.parts import WebParts

_log = structlog.get_logger(__name__)

_WITHHELD = "the database cannot be used; the log says why, and so does this with an API token"
"""What is told to somebody without a token: the reason may name hosts, users and files."""


def blueprint(parts: WebParts) -> Blueprint:
    """/healthz and /readyz, open, because a platform asks without a secret; /metrics, behind the
    read API's tokens."""
    ops = Blueprint("ops", __name__)
    credentials = api_credentials(parts.settings)

    @ops.get("/healthz")
    def healthz() -> Response:
        return answer({"status": "ok"}).to_flask()

    @ops.get("/readyz")
    def readyz() -> Response:
        state, ready = readiness(parts)
        if not ready:
            _log.error("not_ready", store=state["store"])
            if _refused(credentials) is not None:
                state["store"] = _WITHHELD
        return answer(state, 200 if ready else 503).to_flask()

    @ops.get("/metrics")
    def metrics() -> Response:
        refused = _refused(credentials)
        if refused is not None:
            return refused
        return Response(telemetry.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return ops


def _refused(credentials: Credentials) -> Response | None:
    """The answer to somebody without a token of the read API; None for all others."""
    refused = credentials.refuse(request.environ.get("HTTP_AUTHORIZATION"))
    if refused is None:
        return None
    said = refusal(401, refused.sentence, ("WWW-Authenticate", refused.challenge))
    return said.to_flask()


def readiness(parts: WebParts) -> tuple[dict[str, Any], bool]:
    """Ready means: alerts can be kept. Redis and workers stand beside it, for they can be
    missing for a while without an alert being lost."""
    try:
        parts.store_ping()
        workers: int | None = parts.live_workers()
    except StoreUnavailable as error:
        return {"ready": False, "store": str(error), **_redis(parts), "workers": None}, False
    return {"ready": True, "store": "ok", **_redis(parts), "workers": workers}, True


def _redis(parts: WebParts) -> dict[str, str]:
    if not parts.settings.redis_url:
        return {"redis": "not configured: decisions are made on SQL alone"}
    try:
        answers = parts.redis_ping()
    except Exception:
        # Whatever ails the gate, it is no reason to say that alerts can't be kept.
        _log.warning("the Redis probe failed", exc_info=True)
        answers = False
    return {"redis": "ok" if answers else "does not answer: decisions are made on SQL alone"}
