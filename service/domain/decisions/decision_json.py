"""A decision as plain JSON: one shape for the answer to a sender, the read API and the terminal.

Whoever shows a stored decision adds when it was decided and how often. The answer to a sender
leaves `checks` out, because a notification may hold ten thousand alerts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from service.domain.decisions.decision import Decision


def decision_json(decision: Decision, *, checks: bool = True) -> dict[str, Any]:
    """What was decided, with every guard that was asked, unless `checks` is False."""
    shown: dict[str, Any] = {
        "stage": decision.stage.value,
        "verdict": decision.verdict.value,
        "rule": decision.rule,
        "action": decision.action,
        "target": decision.target,
        "direction": decision.direction,
        "guard": decision.guard,
        "reason": decision.reason,
        "until": moment(decision.until),
        "run": decision.run,
    }
    if checks:
        shown["checks"] = [check.to_json() for check in decision.checks]
    return shown


@lru_cache(maxsize=256)
def moment(at: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC.

    Cached, because the alerts of one notification mostly wait for the same moment.
    """
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
