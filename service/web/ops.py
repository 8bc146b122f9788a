"""How the process is: alive, ready, and in figures."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.web.answers import answer
from service.web.parts import WebParts

_log = structlog.get_logger(__name__)


def blueprint(parts: WebParts) -> Blueprint:
    """/healthz, /readyz and /metrics; open, for the platform asks without a secret."""
    ops = Blueprint("ops", __name__)

    @ops.get("/healthz")
    def healthz() -> Response:
        return answer({"status": "ok"}).to_flask()

    @ops.get("/readyz")
    def readyz() -> Response:
        state, ready = readiness(parts)
        return answer(state, 200 if ready else 503).to_flask()

    @ops.get("/metrics")
    def metrics() -> Response:
        return Response(telemetry.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return ops


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
