"""Whether a part serves yet, asked of the part itself."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from service.store.coordination import connect

_PATIENCE_S = 2.0
"""How long one question waits; it is asked again and again."""


def answers(host: str, port: int, path: str) -> dict[str, Any] | None:
    """The JSON object that a GET of `path` is answered with; None while there is none (200)."""
    connection = HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return body if response.status == 200 and isinstance(body, dict) else None  # noqa: PLR2004 - HTTP


def web_keeps_alerts(host: str, port: int) -> bool:
    """Whether the web process can keep what is sent to it."""
    return answers(host, port, "/readyz") is not None


def worker_lives(host: str, port: int) -> bool:
    """Whether the web process sees a worker with a lease."""
    state = answers(host, port, "/readyz")
    return state is not None and bool(state.get("workers"))


def sandbox_answers(host: str, port: int) -> bool:
    """Whether the sandbox tells its state."""
    return answers(host, port, "/_sandbox/state") is not None


def redis_answers(url: str) -> bool:
    """Whether Redis takes commands."""
    return connect(url, _PATIENCE_S, lambda: "").ping() is None
