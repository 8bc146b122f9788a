"""Verdicts: why something is done, not now, or never.

A decision is the same value wherever it is shown: the answer to the sender, the API, Slack, the
log and the metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What was decided."""

    ACT = "act"
    HOLD = "hold"
    """Not now: a guard holds it back; a later repeat may earn it."""
    REJECT = "reject"
    """Never for this alert."""


class Stage(StrEnum):
    """Where it was decided: when the alert came in, or when the worker had seen the target."""

    ADMISSION = "admission"
    EXECUTION = "execution"


@dataclass(frozen=True, slots=True)
class Check:
    """One guard that was consulted: what it saw and whether it let the action pass.

    `until` (seconds since the epoch) is when it is worth asking again, where the guard knows.
    """

    guard: str
    passed: bool
    saw: str
    until: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for storage and the API."""
        return {"guard": self.guard, "passed": self.passed, "saw": self.saw}


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on one alert by one rule, with every guard consulted.

    `guard` names the check that decided, `until` (seconds since the epoch) when it will let go,
    where that is known. `run` is the run that was started: only when the verdict is act, or for a
    test, which is rejected, the run that shows it in Slack.
    """

    verdict: Verdict
    rule: str
    action: str
    target: str | None
    direction: str | None
    reason: str
    guard: str
    checks: tuple[Check, ...]
    until: float | None = None
    run: str | None = None
    stage: Stage = Stage.ADMISSION

    @property
    def key(self) -> str:
        """Equal for decisions that tell the same story: repeats of one are only counted."""
        return f"{self.verdict}|{self.guard}|{self.rule}|{self.run or ''}"
