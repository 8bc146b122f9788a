"""What the engine asks of an action, and what it offers to one.

A run is: observe → plan → (announce) → each of the plan's steps → verified, or back to safety.
Steps run at least once, so each first looks at the vendor, then acts, and a write goes out
only between `intent` and the record of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from service.domain.planning import Ask, Plan, PlanHeld
from service.ports import Clock
from service.ports.runs import Intent

__all__ = ["Intent", "Record", "Scaler", "StepContext", "StepFunction"]

Record = dict[str, Any]
"""What a step leaves behind: plain JSON."""


class StepContext(Protocol):
    """What a step may use besides its vendor."""

    @property
    def run_id(self) -> str:
        """The run."""
        ...

    @property
    def clock(self) -> Clock:
        """Time; `sleep` also keeps the target's lock alive."""
        ...

    def intent(self, name: str) -> Intent:
        """Record, durably and once per run, that a write is about to be sent."""
        ...

    def withdraw(self, name: str) -> None:
        """Forget an intent whose write certainly had no effect: refused, or never sent."""
        ...

    def fence(self) -> None:
        """Call right before each vendor write.

        Raises:
            FencedOut: another execution owns this run now; nothing may be written.
        """
        ...

    def alarm(self, text: str) -> bool:
        """Page now, while the step goes on trying; whether the page was taken. Never fails."""
        ...

    def progress(self, text: str) -> None:
        """Tell the run's Slack thread; never fails the step."""
        ...


StepFunction = Callable[[StepContext, Ask, Plan, Mapping[str, Record]], Record]
"""A step: gets the ask, the plan and what earlier steps left, by name; returns its record.

Raises StepFailed or VendorError when it gives up.
"""


class Scaler(Protocol):
    """A verb that changes a target."""

    def observe(self, ask: Ask) -> Record:
        """Look at the target; reads only, plain JSON.

        Raises VendorError, or StepFailed for a target of a kind that the verb does not know.
        """
        ...

    def plan(self, ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
        """Decide, purely, from what was observed."""
        ...

    def steps(self) -> Mapping[str, StepFunction]:
        """The step functions by the names that plans use. A step that verifies comes last."""
        ...

    def make_safe(self, context: StepContext, ask: Ask, plan: Plan) -> str:
        """After a failure: bring the target to a safe state without taking capacity away.

        Returns one sentence that says in which state the target was left. Must not raise
        anything but FencedOut: what it cannot do or see goes into the sentence.
        """
        ...
