"""What a rule expects of its changes, and what became of each: the alerts cleared, or they did not.

A change is judged by the alerts that asked for it. It has cleared them when all have resolved in
time. An episode is over for good once the refire grace has passed: until then it may go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.decisions.decision import Check

PENDING, CLEARED, NO_EFFECT = "pending", "cleared", "no_effect"
RESULTS = (PENDING, CLEARED, NO_EFFECT)
"""What became of a verified change: not judged yet, its alerts cleared, or they did not."""

LOOK_EVERY_S = 30.0
"""How often an outcome that is not over is looked at, in seconds: it is told in minutes."""


IN_VAIN = "no_effect"
"""The guard that holds further steps where so many in a row had no effect."""


@dataclass(frozen=True, slots=True)
class Slo:
    """How many of a rule's changes have to clear their alerts: the share `cleared` (above 0, at
    most 1) of the last `of` that were judged."""

    cleared: float
    of: int

    @property
    def wanted(self) -> float:
        """How many that are. Rounding must not ask for more than the share: 0.8 of 10 is 8."""
        return round(self.cleared * self.of, 9)


@dataclass(frozen=True, slots=True)
class Expected:
    """That the alerts that asked clear within `within_s` seconds once the target has settled.

    `give_up` is after how many changes in a row without effect no further one is made, 0 for never.
    Below `slo` the rule demotes itself, None for never.
    """

    within_s: float
    give_up: int = 0
    slo: Slo | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        slo = None if self.slo is None else {"cleared": self.slo.cleared, "of": self.slo.of}
        return {"within_s": self.within_s, "give_up": self.give_up, "slo": slo}


def expected_from_json(fields: Mapping[str, Any] | None) -> Expected | None:
    """What `to_json` wrote; a request of a version without it expects nothing."""
    if fields is None:
        return None
    slo = fields.get("slo")
    return Expected(fields["within_s"], fields.get("give_up", 0), slo and Slo(**slo))


def check_in_vain(expected: Expected | None, target: str, runs: Sequence[str]) -> Check | None:
    """The guard no_effect; None where the rule never gives up. `runs` are its last changes of the
    target, all of them without effect, whose alerts still fire."""
    if expected is None or not expected.give_up:
        return None
    if len(runs) < expected.give_up:
        in_vain = (
            f"{', '.join(runs)} had no effect" if runs else f"no change of {target} was in vain"
        )
        saw = f"{in_vain}; the rule gives up after {expected.give_up} in a row"
        return Check(IN_VAIN, passed=True, saw=saw)
    saw = (
        f"{len(runs)} changes of {target} in a row had no effect ({', '.join(runs)}), so the rule "
        "gives up until the alerts that asked for them have resolved"
    )
    return Check(IN_VAIN, passed=False, saw=saw)


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
    to be looked at again, None once it is over. `counts` is whether it had no effect and an alert
    that asked for it still fires, or may go on.
    """

    ended_at: float
    due_at: float
    result: str = PENDING
    cleared_at: float | None = None
    recurred_at: float | None = None
    next_at: float | None = None
    counts: bool = False


def seen(
    outcome: Judged,
    alerts: Sequence[Sequel],
    now: float,
    grace_s: float,
    *,
    counted: bool = False,
) -> Judged:
    """The outcome as the alerts that asked show it at `now`; `grace_s` is the refire grace.

    With `counted` one without effect is followed until its alerts have resolved.

    It depends on when they resolved, and not on when somebody looks: a worker that was away comes
    to the same result.
    """
    if outcome.result == PENDING:
        outcome = _judged(outcome, alerts, now, grace_s)
    if outcome.result == CLEARED:
        return _followed(outcome, alerts, now)
    counts = counted and outcome.result == NO_EFFECT
    return _counted(outcome, alerts, now, grace_s) if counts else outcome


def _counted(outcome: Judged, alerts: Sequence[Sequel], now: float, grace_s: float) -> Judged:
    """Whether what had no effect still counts, because an alert that asked for it fires."""
    ends = [each.resolved_at for each in alerts]
    known = [end for end in ends if end is not None]
    if len(known) == len(ends) and now >= max(known, default=now) + (grace_s if known else 0.0):
        return _with(outcome, counts=False)
    return _with(outcome, counts=True, next_at=now + LOOK_EVERY_S)


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
    return replace(outcome, **{"next_at": None, **changes})
