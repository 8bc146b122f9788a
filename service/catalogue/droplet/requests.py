"""Sending what the disruptive section decides, and what the vendor's answer means for it."""

from __future__ import annotations

from typing import Any

from service.catalogue.context import OffDuty, StepContext
from service.catalogue.droplet.moves import Move
from service.catalogue.droplet.owner import OFF_ACTIONS
from service.catalogue.droplet.pace import Ages, Pace
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan
from service.domain.errors import FailureKind, StoreUnavailable, VendorError
from service.ports import Droplets

_RESEND = "resize to be sent again"
_OF_THE_TOKEN = (401, 403)


class Requests:
    """The power actions and the resize of one droplet, in one pass through the section.

    `trouble` is the vendor's last failure. `restoring` is why the resize is given up, None while it
    is not. `no_shutdown` is True once the vendor has refused one.
    """

    def __init__(
        self,
        context: StepContext,
        droplets: Droplets,
        plan: Plan,
        timings: Timings,
        ages: Ages,
    ) -> None:
        self.trouble: VendorError | None = None
        self.restoring: str | None = None
        self.no_shutdown = False
        self._clock = context.clock
        self._droplets = droplets
        self._id: str = plan.wanted["droplet"]
        self._wanted: str = plan.wanted["after"]
        self._duty: OffDuty = context.off_duty(self._id)
        self._timings = timings
        self._ages = ages
        self._pace = Pace(context.clock, timings)
        self._refusal: VendorError | None = None

    @property
    def tries(self) -> dict[str, int]:
        """How often each of them was sent."""
        return self._pace.tries

    @property
    def refusal(self) -> str | None:
        """Why the vendor refused the new size for good, in its words; a token's fault is not."""
        if self._refusal is None or self._refusal.status in _OF_THE_TOKEN:
            return None
        return self._refusal.sentence

    def send(self, move: Move, newest: int | None) -> bool:
        """Send one, unless it is too soon after the last; whether the vendor took it.

        `newest` is the droplet's newest action.
        """
        if not self._pace.ready(move):
            return False
        self.trouble = None
        if not self._permitted(move, newest):
            return False
        try:
            action = self._droplets.act(self._id, move.value, **self._parameters(move))
        except VendorError as problem:
            self._not_done(move, problem)
            return False
        self._pace.sent(move)
        self._ages.forget(_refused(move))
        if move in OFF_ACTIONS:
            self._duty.answered(action.id)
        return True

    def refused_for_long(self) -> Move | None:
        """The power action that the vendor has refused for as long as a pass may take."""
        for move in (Move.POWER_OFF, Move.POWER_ON):
            if self._ages.over(_refused(move), self._timings.safe_budget_s):
                return move
        return None

    def resize_is_late(self) -> bool:
        """Whether a resize that is to be sent again has had its time: the droplet is off for it."""
        if Move.RESIZE not in self.tries:
            return False
        if self._ages.of(_RESEND) < self._timings.resize_patience_s:
            return False
        why = "the resize had no effect in time"
        if self.trouble:
            why = f"the vendor did not take the resize in time ({self.trouble.clause})"
        self.restoring = why
        return True

    def saw_nothing_for(self, seconds: float) -> None:
        """While the vendor could not be read, no resize could be sent again."""
        self.trouble = None
        self._ages.later(_RESEND, seconds)

    def _permitted(self, move: Move, newest: int | None) -> bool:
        """Whether this may be sent: what takes the droplet down is put on record first."""
        if move not in OFF_ACTIONS:
            self._duty.fence()
            return True
        try:
            self._duty.sending(move.value, newest)
        except StoreUnavailable:
            if not self._duty.sent:
                raise
            # The droplet is still on, so not sending leaves it on.
            self._pace.sent(move)
            return False
        return True

    def _not_done(self, move: Move, problem: VendorError) -> None:
        self.trouble = problem
        self._pace.sent(move, problem.retry_after)
        if problem.kind is FailureKind.UNKNOWN:
            self._clock.sleep(self._timings.settle_disruptive_s)
        elif move in OFF_ACTIONS:
            self._duty.answered(None)
        if move is Move.RESIZE:
            self._resize_not_taken(problem)
        elif problem.kind is FailureKind.PERMANENT:
            # Looked at again first: the vendor also refuses what has happened already.
            self.no_shutdown = self.no_shutdown or move is Move.SHUTDOWN
            self._ages.of(_refused(move))

    def _resize_not_taken(self, problem: VendorError) -> None:
        left_s = self._timings.resize_patience_s - self._ages.of(_RESEND)
        if problem.kind is FailureKind.PERMANENT:
            self.restoring = problem.clause
            self._refusal = problem
        elif (problem.retry_after or 0.0) > left_s:
            self.restoring = f"the vendor did not take the resize in time ({problem.clause})"

    def _parameters(self, move: Move) -> dict[str, Any]:
        # The disk is never grown with it: that could not be undone (docs/vendors.md).
        return {"size": self._wanted, "disk": False} if move is Move.RESIZE else {}


def _refused(move: Move) -> str:
    return f"refused {move}"
