"""What is known of one attribute that a level holds: what was asked, applied and undone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.domain.decisions.decision_json import moment
from service.domain.levels.acting import Undone, rest_s, undone_told

_UNENDED = ("queued", "running")
_TRIED_AGAIN = ("held", "failed")
_AFTER = {
    "waiting": "run {run} waits for approval",
    "shadow": "run {run} has told what it would do, and mode shadow changes nothing",
    "cancelled": "a person has cancelled run {run}, so it waits until something else holds",
    "held": "run {run} was held, and it is tried again later",
    "failed": "run {run} has failed, and it is tried again later",
}
"""Why the same is not asked for once more after a run that ended so."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one attribute. Each `..._says` is what held then, in words.

    `run` is the last that was asked for, `tries` how often in a row the same was asked for, and
    `status` and `ended_at` (seconds since the epoch) are how and when that run ended.
    `applied_at` is when a look found it as it is wanted, `applied_run` the run that made it so,
    empty where it was so already. `waits` is what holds it back.
    """

    asked_says: str = ""
    run: str = ""
    tries: int = 0
    status: str = ""
    ended_at: float | None = None
    applied_says: str = ""
    applied_at: float | None = None
    applied_run: str = ""
    waits: str = ""
    undone: Undone | None = None

    @property
    def under_way(self) -> bool:
        """Whether the last run that was asked for has not ended."""
        return self.status in _UNENDED

    def why_not(self, said: str, now: float, *, anew: bool = False) -> str:
        """Why what holds (`said`) is not asked for now; empty where it may be. With `anew` its last
        run counts no more, as it was asked for under other circumstances."""
        if self.under_way:
            return f"run {self.run} is under way"
        if self.undone is not None and self.undone.holds_back(said, now):
            return undone_told(self.undone)
        rests = now < (self.ended_at or 0.0) + rest_s(self.tries)
        if anew or self.asked_says != said or (self.status in _TRIED_AGAIN and not rests):
            return ""
        return _AFTER.get(self.status, "").format(run=self.run)

    def to_json(self, said: str, now: float) -> dict[str, Any]:
        """For the API and the terminal; `said` is what holds now."""
        return {
            "holds": self.applied_says,
            "at": None if self.applied_at is None else moment(self.applied_at),
            "run": self.applied_run or None,
            "waits": self.why_not(said, now) or self.waits or None,
        }
