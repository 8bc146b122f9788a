"""What a rule expects of its changes, and what became of each: the alerts cleared, or they did not.

A change is judged by the alerts that asked for it. It has cleared them when all have resolved in
time. An episode is over for good once the refire grace has passed: until then it may go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PENDING, CLEARED, NO_EFFECT = "pending", "cleared", "no_effect"
RESULTS = (PENDING, CLEARED, NO_EFFECT)
"""What became of a verified change: not judged yet, its alerts cleared, or they did not."""

LOOK_EVERY_S = 30.0
"""How often an outcome that is not over is looked at, in seconds: it is told in minutes."""


@dataclass(frozen=True, slots=True)
class Expected:
    """That the alerts that asked clear within `within_s` seconds once the target has settled."""

    within_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {"within_s": self.within_s}


def expected_from_json(fields: Mapping[str, Any] | None) -> Expected | None:
    """What `to_json` wrote; a request of a version without it expects nothing."""
    return None if fields is None else Expected(fields["within_s"])


@dataclass(frozen=True, slots=True)
class Sequel:
    """How it went on with an alert that asked. Times are in seconds since the epoch.

    `resolved_at` is when its episode ended, None while it fires. `again_at` is when a newer episode
    of the same alert began, None where there is none, and `again_ended_at` when that ended.
    """

    resolved_at: float | None
    again_at: float | None = None
    again_ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a change has led to so far, in seconds since the epoch.

    `due_at` is when it is judged at the latest. `cleared_at` is when the last of its alerts
    resolved, `recurred_at` when the first of them fired again after that. `next_at` is when it is
    to be looked at again, None once it is over.
    """

    ended_at: float
    due_at: float
    result: str = PENDING
    cleared_at: float | None = None
    recurred_at: float | None = None
    next_at: float | None = None


def seen(outcome: Judged, alerts: Sequence[Sequel], now: float, grace_s: float) -> Judged:
    """The outcome as the alerts that asked show it at `now`; `grace_s` is the refire grace.

    It depends on when they resolved, and not on when somebody looks: a worker that was away comes
    to the same result.
    """
    if outcome.result == PENDING:
        outcome = _judged(outcome, alerts, now, grace_s)
    if outcome.result == CLEARED:
        return _followed(outcome, alerts, now)
    return outcome


def _judged(outcome: Judged, alerts: Sequence[Sequel], now: float, grace_s: float) -> Judged:
    cleared_at, due_at = _cleared_at(alerts), outcome.due_at
    if cleared_at is not None and cleared_at <= due_at:
        sure_at = cleared_at + grace_s
        if now < sure_at:
            return _with(outcome, next_at=sure_at)
        return _with(outcome, result=CLEARED, cleared_at=cleared_at)
    if now >= due_at:
        return _with(outcome, result=NO_EFFECT)
    return _with(outcome, next_at=min(now + LOOK_EVERY_S, due_at))


def _followed(outcome: Judged, alerts: Sequence[Sequel], now: float) -> Judged:
    """Whether the same alerts fire again, for as long as they had to clear."""
    cleared_at = outcome.cleared_at if outcome.cleared_at is not None else outcome.due_at
    until = cleared_at + (outcome.due_at - outcome.ended_at)
    again = [each.again_at for each in alerts if each.again_at is not None]
    recurred = [at for at in again if cleared_at < at <= until]
    if recurred:
        return _with(outcome, recurred_at=min(recurred))
    return _with(outcome, next_at=None if now >= until else min(now + LOOK_EVERY_S, until))


def _cleared_at(alerts: Sequence[Sequel]) -> float | None:
    """When the last alert resolved; None while one fires, or where none is known."""
    ends = [each.resolved_at for each in alerts]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return None
    last = max(known)
    # One that fired again before the last of the others had resolved was not cleared by then.
    later = [each.again_ended_at for each in alerts if (each.again_at or last + 1.0) <= last]
    return None if None in later else max([last, *(end for end in later if end is not None)])


def _with(outcome: Judged, **changes: Any) -> Judged:
    """The outcome with these changes. It is over unless they say when to look again."""
    fields = {name: getattr(outcome, name) for name in Judged.__dataclass_fields__}
    return Judged(**{**fields, "next_at": None, **changes})
