"""What the engine offers to a step: time, intents, the fence, and what stands behind a droplet.

Steps run at least once. So each first looks at the vendor and then acts. A write goes out only
between `intent` and the record of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports import Clock
from service.ports.offs import Sent
from service.ports.runs import Intent

__all__ = [
    "Intent",
    "OffDuty",
    "Record",
    "StepContext",
    "StepFunction",
    "Watched",
]

Record = dict[str, Any]
"""What a step leaves behind: plain JSON."""


@dataclass(frozen=True, slots=True)
class Watched:
    """For how many seconds a droplet was watched, and whether somebody was paged meanwhile."""

    for_s: float
    paged: bool


class OffDuty(Protocol):
    """Stands behind a droplet that a run switches off, until it is seen on again.

    It keeps a durable record of what takes the droplet down, and a watch that pages when the
    droplet is not seen on for a minute. Only `begin` and `sending` need our store; the rest does
    without it when it is away or hangs.
    """

    @property
    def sent(self) -> Sequence[Sent]:
        """What this run sent, or was about to send, to take the droplet down."""
        ...

    @property
    def open(self) -> bool:
        """Whether the droplet may be off because of this run."""
        ...

    @property
    def seen_on(self) -> bool:
        """Whether the record has ended because the droplet was seen on again."""
        ...

    def begin(self, size: str) -> bool:
        """Make the record of a resize, or take it over; whether it is new.

        Raises StoreUnavailable.
        """
        ...

    def assume(self, kinds: Sequence[str], after: int | None) -> None:
        """Record what an execution without a record may have sent. Raises StoreUnavailable."""
        ...

    def sending(self, kind: str, after: int | None) -> None:
        """Record, right before it is sent, what takes the droplet down; the watch begins.

        `after` is the droplet's newest action. Raises StoreUnavailable: do not send it; FencedOut.
        """
        ...

    def answered(self, action: int | None) -> None:
        """Record the id of what was just sent; None: the vendor did not take it."""
        ...

    def fence(self) -> None:
        """As `StepContext.fence`, but a store that is away or hangs forbids nothing."""
        ...

    def look(self, *, on: bool, doing: str) -> None:
        """What a look has just shown; `doing` is what is under way, for the page."""
        ...

    def off_again(self) -> None:
        """A late action of this run has switched the droplet off: open the record, watch again."""
        ...

    def doubt(self, text: str) -> None:
        """Page at once: it is not sure that the droplet is this run's to switch on."""
        ...

    def refused(self, words: str) -> None:
        """Record that the vendor refused the new size for good."""
        ...

    def tell(self, text: str) -> None:
        """Put this text into the one line of the run's thread that tells how it goes."""
        ...

    def may_leave(self) -> bool:
        """Whether the droplet may be left off: our store answers, so that others go on with it."""
        ...

    def end(self, how: str) -> Watched | None:
        """The droplet needs no watch any more: `how` is one of `service.ports.offs`.

        Returns what the watch saw; None where there was none.
        """
        ...


class StepContext(Protocol):
    """What a step may use besides its vendor."""

    @property
    def run_id(self) -> str:
        """The id of the run that this step belongs to."""
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

    def off_duty(self, droplet: str) -> OffDuty:
        """What stands behind a droplet that this run switches off."""
        ...

    def progress(self, text: str) -> None:
        """Tell the run's Slack thread; never fails the step."""
        ...


StepFunction = Callable[[StepContext, Request, Plan, Mapping[str, Record]], Record]
"""A step: gets the request, the plan and what earlier steps left, by name; returns its record.

Raises StepFailed or VendorError when it gives up.
"""
