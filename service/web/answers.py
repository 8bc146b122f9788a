"""Answers as JSON, and what every refusal looks like: `{"error": sentence}`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from flask import Response
from pydantic_core import to_json

RETRY_AFTER_S = 5
"""What a sender is asked to wait after a 503. Alertmanager backs off by its own rule and ignores
it; other senders, proxies and people do not."""


def answer(value: object, status: int = 200) -> Response:
    """The value as JSON."""
    return Response(to_json(value, inf_nan_mode="null"), status, content_type="application/json")


def refusal(status: int, sentence: str) -> Response:
    """One sentence for whoever sent this; Alertmanager writes it into its own log."""
    response = answer({"error": sentence}, status)
    if status == 503:  # noqa: PLR2004 - the HTTP status
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@lru_cache(maxsize=256)
def iso(at: float | None) -> str | None:
    """A moment (seconds since the epoch) as ISO 8601 in UTC; None stays None.

    Cached, because the alerts of one notification mostly wait for the same moment.
    """
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
