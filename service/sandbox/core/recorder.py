"""The record of all vendor calls, in the order of their effect, for tests and people."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.core.clock import iso_millis
from service.sandbox.core.wire import Call, Json

KEPT = 100_000
"""The most calls that are kept. The oldest are dropped, so that a sandbox may run for weeks."""


@dataclass(slots=True)
class Recorder:
    """The calls, oldest first."""

    calls: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT))
    last: int = 0

    def record(self, call: Call, status: int | None, *, acted: bool, fault: int | None) -> None:
        """Record a call. `status` is None if the caller got no answer. `fault` is the fault's
        id."""
        self.last += 1
        self.calls.append(
            {
                "n": self.last,
                "vendor": call.vendor,
                "method": call.method,
                "path": call.path,
                "query": {k: v[0] if len(v) == 1 else v for k, v in call.query.items()},
                "body": _without_token(call.body),
                "status": status,
                "acted": acted,
                "fault": fault,
                "at": iso_millis(call.now),
            }
        )


def _without_token(body: Any) -> Any:
    # Slack takes its token in the form too. It may be a real one, sent here by mistake.
    if isinstance(body, dict) and "token" in body:
        return {**body, "token": "…"}
    return body
