"""The disruptive section: look, then act, until the droplet is on.

Here and nowhere else our own database may be gone: a droplet that is off must come back on
whatever happens to us. Only another execution of the same run ends the loop early, because that
one is in the same loop. What to do next is `domain.droplet_moves.next_move`; this does it. The
loop is its own retry, so single calls are not retried below it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from service.actions.base import Record, StepContext
from service.actions.polling import Pauses
from service.actions.timings import Timings
from service.domain.droplet_moves import Move, Section, next_move
from service.domain.droplet_off import OFF_ACTIONS, since_action
from service.domain.errors import FailureKind, StepFailed, StoreUnavailable, VendorError
from service.domain.planning import Plan
from service.ports import Droplets

STEP = "resize"
_ENDS = (Move.DONE, Move.GIVE_UP, Move.GONE)


def resize_droplet(
    context: StepContext,
    droplets: Droplets,
    plan: Plan,
    timings: Timings,
    *,
    anchor: int | None,
    repeated: bool,
) -> Record:
    """Take the droplet to the wanted size and leave it on.

    `anchor` is the newest action from before the section; `repeated` is True when a former
    execution may have sent something that has not shown yet.

    Raises:
        StepFailed: with a sentence that says whether the droplet is on or OFF.
        FencedOut: another execution is in the section.
    """
    section = _Driver(context, droplets, plan, timings, anchor)
    if repeated:
        context.clock.sleep(timings.settle_disruptive_s)
    move = section.drive()
    if move is Move.DONE:
        return {"size": plan.wanted["after"], "status": "active"}
    if move is Move.GONE:
        raise section.failed("it is in a state that no action leads out of; look at it now")
    why = section.restoring or "somebody switched it on, or resized it, in the middle"
    raise section.failed(f"{why}; nothing more was tried")


def bring_on(context: StepContext, droplets: Droplets, plan: Plan, timings: Timings) -> str:
    """Switch the droplet on, whatever its size; one sentence that says how it was left."""
    section = _Driver(context, droplets, plan, timings, None)
    section.restoring = "a step before failed"
    section.resize_s, section.power_s = 0.0, timings.safe_budget_s
    try:
        section.drive()
    except StepFailed as failure:
        return failure.sentence
    return f"{section.seen()}."


class _Driver:
    """One pass through the section. It holds only since when something is so, and why.

    `restoring` is the reason why the droplet is only to be brought back on; None while it is to
    be resized. `resize_s` is how long getting to the new size may take, `power_s` how long a
    power action may go without effect, in seconds.
    """

    def __init__(
        self,
        context: StepContext,
        droplets: Droplets,
        plan: Plan,
        timings: Timings,
        anchor: int | None,
    ) -> None:
        self.restoring: str | None = None
        self.resize_s = timings.resize_deadline_s
        self.power_s = timings.power_deadline_s
        self._context = context
        self._droplets = droplets
        self._id: str = plan.wanted["droplet"]
        self._before: str = plan.wanted["before"]
        self._wanted: str = plan.wanted["after"]
        self._timings = timings
        self._anchor = anchor
        self._began = context.clock.monotonic()
        self._pauses = Pauses(context.clock, timings)
        self._last: Section | None = None
        self._trouble: VendorError | None = None
        self._since: dict[str, float] = {}
        self._no_shutdown = False
        self._alarmed = False

    def drive(self) -> Move:
        """Look and act until the droplet is on, or nothing can be done for it."""
        while True:
            section = self._look()
            move = Move.WAIT if section is None else self._next(section)
            if move in _ENDS:
                return move
            if move is not Move.WAIT:
                self._act(move)
            moves_on = section is not None and (move is Move.WAIT or self._trouble is None)
            self._alarm_while_stuck(stuck=not moves_on)
            self._check_limits()
            asked = self._trouble.retry_after if self._trouble else None
            self._pauses.wait(at_least=min(asked or 0.0, self._timings.poll_max_s))

    def failed(self, why: str) -> StepFailed:
        """The step's failure: what happened, and how the droplet was left."""
        trouble = f" The last answer of the vendor: {self._trouble}" if self._trouble else ""
        return StepFailed(
            STEP,
            f"Resizing droplet {self._id} from {self._before} to {self._wanted}: {why}. "
            f"{self.seen()}.{trouble}",
        )

    def seen(self) -> str:
        """How the droplet was when it was seen last."""
        if self._last is None:
            return f"Droplet {self._id} could not be read, so whether it is on is not known"
        droplet = self._last.droplet
        power = {"off": "OFF", "active": "on"}.get(droplet.status, droplet.status)
        when = " when it was seen last" if "blind" in self._since else ""
        return f"Droplet {self._id} is {power} at {droplet.size}{when}"

    def _look(self) -> Section | None:
        """The section now; None where the vendor does not say at the moment."""
        try:
            # Actions first: one that ends between the two reads then shows in the droplet.
            since = since_action(self._droplets.list_actions(self._id), self._anchor)
            droplet = self._droplets.get(self._id)
        except VendorError as problem:
            self._trouble = problem
            self._age("blind")
            if problem.kind is FailureKind.PERMANENT:
                raise self.failed("it can no longer be read") from problem
            return None
        self._since.pop("blind", None)
        section = Section(droplet, since, self._before, self._wanted)
        self._last = section
        return section

    def _next(self, section: Section) -> Move:
        last = section.last_power
        asked = self._age(f"off {last.id}") if last and last.type in OFF_ACTIONS else 0.0
        move = next_move(
            section,
            asked_off_s=asked,
            grace_s=self._timings.shutdown_grace_s,
            must_restore=self.restoring is not None,
        )
        return Move.POWER_OFF if move is Move.SHUTDOWN and self._no_shutdown else move

    def _act(self, move: Move) -> None:
        self._trouble = None
        # Without the store nobody can have taken the run over either; the droplet comes first.
        with suppress(StoreUnavailable):
            self._context.fence()
        if move is Move.POWER_ON:
            self._age("powering on")
        self._context.progress(self._words(move))
        try:
            self._droplets.act(self._id, move.value, **self._parameters(move))
            self._pauses.reset()
        except VendorError as problem:
            self._trouble = problem
            if problem.kind is FailureKind.UNKNOWN:
                self._context.clock.sleep(self._timings.settle_disruptive_s)
            elif problem.kind is FailureKind.PERMANENT:
                self._refused(move, problem)

    def _alarm_while_stuck(self, *, stuck: bool) -> None:
        """A droplet that is off and does not move on is a person's business too, while we try."""
        if not stuck:
            self._since.pop("stuck", None)
            return
        off = self._last is not None and self._last.droplet.status != "active"
        if self._age("stuck") < self._timings.alarm_after_s or not off or self._alarmed:
            return
        self._alarmed = self._context.alarm(
            f"{self.seen()} in the middle of a resize to {self._wanted}, and the vendor does not "
            f"let it go on ({self._trouble}). It is being tried again and again; look at it too."
        )

    def _refused(self, move: Move, problem: VendorError) -> None:
        """A refusal ends what was tried; the droplet is brought on first, and looked at first:
        the vendor also refuses what has happened already."""
        if move is Move.SHUTDOWN:
            self._no_shutdown = True
        elif move is Move.RESIZE:
            self.restoring = f"the vendor refused the resize ({problem.sentence})"
        elif self._age(f"refused {move}") > self._timings.safe_budget_s:
            raise self.failed(f"the vendor keeps refusing to {move.value.replace('_', ' ')} it")

    def _check_limits(self) -> None:
        """What has taken too long: then on again, or a person."""
        passed = self._context.clock.monotonic() - self._began
        if self._over("powering on", self.power_s):
            raise self.failed(f"it did not come on within {self.power_s:.0f} s")
        if self._over("blind", self.power_s):
            raise self.failed(f"the vendor could not be reached for {self.power_s:.0f} s")
        if passed > self.resize_s + self.power_s:
            raise self.failed("one of its actions does not end")
        if self.restoring is None:
            self.restoring = self._too_late(passed)

    def _too_late(self, passed: float) -> str | None:
        if passed > self.resize_s:
            return f"it took longer than {self.resize_s / 60:.0f} minutes"
        off_s = self._timings.shutdown_grace_s + self._timings.power_deadline_s
        still_on = self._last is not None and self._last.droplet.status == "active"
        return f"it did not power off within {off_s:.0f} s" if still_on and passed > off_s else None

    def _over(self, what: str, limit: float) -> bool:
        return what in self._since and self._age(what) > limit

    def _age(self, what: str) -> float:
        """For how many seconds something has been so; 0 when it is new."""
        now = self._context.clock.monotonic()
        return now - self._since.setdefault(what, now)

    def _parameters(self, move: Move) -> dict[str, Any]:
        # The disk is never grown with it: that could not be undone (docs/vendors.md).
        return {"size": self._wanted, "disk": False} if move is Move.RESIZE else {}

    def _words(self, move: Move) -> str:
        return {
            Move.SHUTDOWN: f"Shutting droplet {self._id} down.",
            Move.POWER_OFF: f"Powering droplet {self._id} off.",
            Move.RESIZE: f"Resizing droplet {self._id} to {self._wanted}, disk untouched.",
            Move.POWER_ON: f"Powering droplet {self._id} on.",
        }[move]
