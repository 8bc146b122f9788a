"""How a target is, as far as runbookd knows: what its runs saw or made of it.

Nobody asks the vendor for this, so it says when it was seen, and by which run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.domain.decisions.planning import values_of

State = Mapping[str, int | str]
"""What changes of a target, by the names that plans use: `{"replicas": 4, "size": "basic-s"}`."""


class Known(StrEnum):
    """How a state is known."""

    SET = "set"
    """A run set it and proved it."""
    SEEN = "seen"
    """A run looked at it and did not change it, or has not yet."""
    UNSURE = "unsure"
    """A run failed after it may have written: this is how the target was before."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A run on a target, as far as it tells the target's state. Times are seconds since the epoch.

    `plan` is its plan as plain JSON, or None. `saw` is the state that its look found at `saw_at`;
    runs of earlier versions kept none, and only their plan tells. `wrote` is True when a write of
    it took effect or may have.
    """

    id: str
    status: str
    ended_at: float | None
    plan: Mapping[str, Any] | None
    wrote: bool
    saw: State | None = None
    saw_at: float | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """A state, how it is known, from which run, and from when (seconds since the epoch)."""

    state: State
    known: Known
    run: str
    at: float | None


def present_state(runs: Iterable[Passed]) -> Present | None:
    """The state by the newest run that tells one; `runs` are the newest first."""
    return next((found for run in runs if (found := _told_by(run)) is not None), None)


def _told_by(run: Passed) -> Present | None:
    before = run.saw or (_named(run.plan, "before") if run.plan else {})
    if run.plan and run.status == "succeeded":
        made = _named(run.plan, "after")
        if run.saw:  # a plan may tell of what is no state, such as a purge
            made = {name: value for name, value in made.items() if name in run.saw}
        return Present({**before, **made}, Known.SET, run.id, run.ended_at)
    if not before:
        return None
    unsure = run.status == "failed" and run.wrote
    return Present(before, Known.UNSURE if unsure else Known.SEEN, run.id, run.saw_at)


def _named(plan: Mapping[str, Any], when: str) -> dict[str, int | str]:
    """The values `before` or `after` of a plan by their names; a plan tells both in words."""
    return {
        name: int(value) if value.isdecimal() else value
        for name, value in values_of(plan["what"], str(plan[when]))
    }
