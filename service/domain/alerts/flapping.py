"""Alerts that fire and resolve again and again: what a rule calls flapping, and how long it holds.

A turn is a moment at which an alert began to fire or resolved. One that fires again within the
refire grace goes on with its episode, and has turned all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.decisions.decision import Check
from service.domain.durations import clock_time, lasted

FLAPPING = "flapping"
"""The guard that holds an alert which turns too often."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an alert flaps, by a rule: `transitions` turns or more within `within_s` seconds."""

    transitions: int
    within_s: float


def turned(turns: Sequence[float], at: float, most: int) -> tuple[float, ...]:
    """The newest `most` turns of an alert once it has turned at `at`, oldest first. All are in
    seconds since the epoch; a clock that stepped back does not bring them out of order."""
    return tuple(sorted((*turns, at))[-most:])


def check_flapping(turns: Sequence[float], flapping: Flapping, now: float) -> Check:
    """The flapping guard, by an alert's turns (oldest first) at `now`, in seconds since the epoch.

    It lets go when so few turns are left within the time that the rule allows them.
    """
    within, allowed = lasted(flapping.within_s), flapping.transitions
    recent = [at for at in turns if now - flapping.within_s < at <= now]
    counted = f"it has fired or resolved {_times(len(recent))} within {within}"
    if len(recent) < allowed:
        return Check(FLAPPING, passed=True, saw=f"{counted}; it flaps from {allowed} on")
    until = recent[-allowed] + flapping.within_s
    saw = f"it flaps: {counted}, and the rule waits until {clock_time(until)} for it to be steady"
    return Check(FLAPPING, passed=False, saw=saw, until=until)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
