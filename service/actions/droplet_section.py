"""The disruptive section: look, then act, until the droplet is on.

Our own database may be gone here: a droplet that is off must come back on whatever happens to us.
So nothing here waits for it but what takes the droplet down: a shutdown or power-off is sent only
once it is on record. What to do next is `domain.droplet_moves.next_move`; this does it. The loop is
its own retry, so single calls are not retried below it.
"""

from __future__ import annotations

from typing import Any

from service.actions.base import OffDuty, Record, StepContext
from service.actions.droplet_words import Words
from service.actions.pace import Pace
from service.actions.polling import Pauses
from service.actions.timings import Timings
from service.domain.droplet_moves import Move, Section, next_move
from service.domain.droplet_off import OFF_ACTIONS, Owner, owner_of_off, since_action
from service.domain.errors import FailureKind, StepFailed, StoreUnavailable, VendorError
from service.domain.observation import DropletState
from service.domain.planning import Plan
from service.ports import Droplets
from service.ports.offs import GONE, ON, TAKEN_OVER

STEP = "resize"
_ENDS = {Move.DONE: ON, Move.GIVE_UP: ON, Move.GONE: GONE, Move.TAKEN_OVER: TAKEN_OVER}
_NOT_FOUND = 404
_OF_THE_TOKEN = (401, 403)
_A_PERSONS = "it was switched off by somebody else, so it is left as it is"


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
        StoreUnavailable: nothing was sent, because that could not be put on record.
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
    if move is Move.TAKEN_OVER:
        raise section.failed(_A_PERSONS)
    why = section.restoring or "somebody switched it on, or resized it, in the middle"
    raise section.failed(f"{why}; nothing more was tried")


def bring_on(context: StepContext, droplets: Droplets, plan: Plan, timings: Timings) -> str:
    """Switch the droplet on if this run switched it off; one sentence: how it was left."""
    section = _Driver(context, droplets, plan, timings, None)
    section.restoring = "a step before failed"
    section.resize_s, section.power_s = 0.0, timings.safe_budget_s
    try:
        move = section.drive()
    except StepFailed as failure:
        section.tell_left()
        return failure.sentence
    return f"{section.seen()}: {_A_PERSONS}." if move is Move.TAKEN_OVER else f"{section.seen()}."


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
        self._clock = context.clock
        self._droplets = droplets
        self._id: str = plan.wanted["droplet"]
        self._before: str = plan.wanted["before"]
        self._wanted: str = plan.wanted["after"]
        self._duty: OffDuty = context.off_duty(self._id)
        self._words = Words(self._id, self._wanted)
        self._timings = timings
        self._anchor = anchor
        self._began = context.clock.monotonic()
        self._pauses = Pauses(context.clock, timings)
        self._pace = Pace(context.clock, timings)
        self._last: DropletState | None = None
        self._newest: int | None = None
        self._trouble: VendorError | None = None
        self._refusal: VendorError | None = None
        self._since: dict[str, float] = {}
        self._no_shutdown = False

    def drive(self) -> Move:
        """Look and act until the droplet is on, or nothing can be done for it."""
        while True:
            section = self._look()
            move = Move.WAIT if section is None else self._next(section)
            doing = self._words.doing(section, self._trouble, self._pace.tries)
            self._duty.look(on=self._is_on(), doing=doing)
            if move in _ENDS:
                self._end(move)
                return move
            if move is not Move.WAIT and self._pace.ready(move):
                self._act(move)
            self._check_limits()
            self._pauses.wait()

    def failed(self, why: str) -> StepFailed:
        """The step's failure: what happened, and how the droplet was left."""
        trouble = f" The last answer of the vendor: {self._trouble}" if self._trouble else ""
        goes_on = (
            "" if self._is_on() or not self._duty.open else " It is tried again until it is on."
        )
        return StepFailed(
            STEP,
            f"Resizing droplet {self._id} from {self._before} to {self._wanted}: {why}. "
            f"{self.seen()}.{goes_on}{trouble}",
        )

    def tell_left(self) -> None:
        """Say in the thread that it is still off, and that this is not the end of it."""
        if self._duty.open:
            left = f"{self.seen()}. It is tried again until it is on."
            self._duty.tell(self._words.story(self._pace.tries, left))

    def seen(self) -> str:
        """How the droplet was when it was seen last."""
        return self._words.seen(self._last, blind="blind" in self._since)

    def _look(self) -> Section | None:
        """The section now; None where the vendor does not say at the moment."""
        try:
            # Actions first: one that ends between the two reads then shows in the droplet.
            actions = self._droplets.list_actions(self._id)
            droplet = self._droplets.get(self._id)
        except VendorError as problem:
            self._trouble = problem
            self._age("blind")
            if problem.kind is FailureKind.PERMANENT:
                self._unreadable(problem)
            return None
        if self._since.pop("blind", None) is not None:
            self._trouble = None
        self._last = droplet
        self._newest = actions[0].id if actions else None
        owner = owner_of_off(actions, self._duty.sent, seen_on=self._duty.seen_on)
        since = since_action(actions, self._anchor)
        return Section(droplet, since, self._before, self._wanted, owner)

    def _next(self, section: Section) -> Move:
        last = section.last_power
        asked = self._age(f"off {last.id}") if last and last.type in OFF_ACTIONS else 0.0
        move = next_move(
            section,
            asked_off_s=asked,
            grace_s=self._timings.shutdown_grace_s,
            must_restore=self.restoring is not None,
        )
        if move is Move.POWER_ON and self._duty.seen_on:
            self._duty.off_again()
        if move is Move.POWER_ON and section.owner is Owner.UNCERTAIN:
            self._duty.doubt(
                f"Droplet {self._id} is off, and the vendor lists no action that switched it off. "
                "It may have been this run, so it is switched on."
            )
        return Move.POWER_OFF if move is Move.SHUTDOWN and self._no_shutdown else move

    def _act(self, move: Move) -> None:
        self._trouble = None
        if not self._permitted(move):
            return
        if move is Move.POWER_ON:
            self._age("powering on")
        try:
            action = self._droplets.act(self._id, move.value, **self._parameters(move))
        except VendorError as problem:
            self._not_done(move, problem)
        else:
            self._pace.sent(move)
            self._pauses.reset()
            self._since.pop(f"not taken {move}", None)
            if move in OFF_ACTIONS:
                self._duty.answered(action.id)
        self._duty.tell(self._words.story(self._pace.tries))

    def _permitted(self, move: Move) -> bool:
        """Whether this may be sent: what takes the droplet down is put on record first."""
        if move not in OFF_ACTIONS:
            self._duty.fence()
            return True
        try:
            self._duty.sending(move.value, self._newest)
        except StoreUnavailable:
            if not self._duty.sent:
                raise
            # The droplet is still on, so not sending leaves it on.
            self._pace.sent(move)
            return False
        return True

    def _not_done(self, move: Move, problem: VendorError) -> None:
        self._trouble = problem
        self._pace.sent(move, problem.retry_after)
        not_taken_s = self._age(f"not taken {move}")
        if problem.kind is FailureKind.UNKNOWN:
            self._clock.sleep(self._timings.settle_disruptive_s)
        elif move in OFF_ACTIONS:
            self._duty.answered(None)
        if move is Move.RESIZE:
            self._resize_not_taken(problem, not_taken_s)
        elif problem.kind is FailureKind.PERMANENT:
            self._refused(move, problem, not_taken_s)

    def _resize_not_taken(self, problem: VendorError, for_s: float) -> None:
        """The droplet is off meanwhile, so this is not tried for long: it is brought on first."""
        left_s = self._timings.resize_patience_s - for_s
        if problem.kind is FailureKind.PERMANENT:
            self.restoring = f"the vendor refused the resize ({problem.sentence})"
            self._refusal = problem
        elif left_s <= 0 or (problem.retry_after or 0.0) > left_s:
            self.restoring = f"the vendor did not take the resize in time ({problem.sentence})"

    def _refused(self, move: Move, problem: VendorError, for_s: float) -> None:
        """A refusal ends what was tried; the droplet is looked at first, because the vendor also
        refuses what has happened already."""
        if move is Move.SHUTDOWN:
            self._no_shutdown = True
        elif for_s > self._timings.safe_budget_s:
            self._give_up(f"the vendor keeps refusing to {move.value.replace('_', ' ')} it")

    def _unreadable(self, problem: VendorError) -> None:
        if problem.status == _NOT_FOUND:
            self._duty.end(GONE)
            raise self.failed("it does not exist any more") from problem
        self._give_up("it can no longer be read")

    def _check_limits(self) -> None:
        """What has taken too long: then on again, or a person."""
        passed = self._clock.monotonic() - self._began
        if self._over("powering on", self.power_s):
            self._give_up(f"it did not come on within {self.power_s:.0f} s")
        if self._over("blind", self.power_s):
            self._give_up(f"the vendor could not be reached for {self.power_s:.0f} s")
        if passed > self.resize_s + self.power_s:
            self._give_up("one of its actions does not end")
        if self.restoring is None:
            self.restoring = self._too_late(passed)

    def _give_up(self, why: str) -> None:
        """End this pass, unless the droplet is off and nobody could go on: then go on here."""
        if self._is_on() or self._duty.may_leave():
            raise self.failed(why)

    def _too_late(self, passed: float) -> str | None:
        if passed > self.resize_s:
            return f"it took longer than {self.resize_s / 60:.0f} minutes"
        off_s = self._timings.shutdown_grace_s + self._timings.power_deadline_s
        late = self._is_on() and passed > off_s
        return f"it did not power off within {off_s:.0f} s" if late else None

    def _end(self, move: Move) -> None:
        refusal = self._refusal
        if move is Move.GIVE_UP and refusal and refusal.status not in _OF_THE_TOKEN:
            # Only now: a resize that had happened already is refused as well.
            self._duty.refused(refusal.sentence)
        watched = self._duty.end(_ENDS[move])
        if watched is not None and _ENDS[move] == ON:
            self._duty.tell(self._words.story(self._pace.tries, self._words.back(watched)))

    def _is_on(self) -> bool:
        return (
            self._last is not None and self._last.status == "active" and "blind" not in self._since
        )

    def _over(self, what: str, limit: float) -> bool:
        return what in self._since and self._age(what) > limit

    def _age(self, what: str) -> float:
        """For how many seconds something has been so; 0 when it is new."""
        now = self._clock.monotonic()
        return now - self._since.setdefault(what, now)

    def _parameters(self, move: Move) -> dict[str, Any]:
        # The disk is never grown with it: that could not be undone (docs/vendors.md).
        return {"size": self._wanted, "disk": False} if move is Move.RESIZE else {}
