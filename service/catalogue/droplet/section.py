"""The disruptive section: look, then act, until the droplet is on.

Our own database may be gone here: a droplet that is off must come back on whatever happens to us.
So only what takes the droplet down waits for the database: a shutdown or power-off is sent once it
is on record. `service.catalogue.droplet.moves.next_move` says what to do next, and this does it.
The loop is its own retry, so single calls are not retried below it.
"""

from __future__ import annotations

from service.catalogue.context import OffDuty, Record, StepContext
from service.catalogue.droplet.moves import Move, Section, next_move
from service.catalogue.droplet.owner import OFF_ACTIONS, Owner, owner_of_off, since_action
from service.catalogue.droplet.pace import Ages
from service.catalogue.droplet.requests import Requests
from service.catalogue.droplet.words import Words
from service.catalogue.steps.polling import Pauses
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports import Droplets
from service.ports.droplet import DropletState
from service.ports.offs import GONE, ON, TAKEN_OVER

STEP = "resize"
_ENDS = {Move.DONE: ON, Move.GIVE_UP: ON, Move.GONE: GONE, Move.TAKEN_OVER: TAKEN_OVER}
_NOT_FOUND = 404
_BLIND, _POWERING_ON = "blind", "powering on"
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
    except StepFailed:
        section.tell_left()
        return section.left("")
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
        self._ages = Ages(context.clock)
        self._requests = Requests(context, droplets, plan, timings, self._ages)
        self._last: DropletState | None = None
        self._newest: int | None = None

    @property
    def restoring(self) -> str | None:
        """Why the droplet is only to be brought back on; None while it is to be resized."""
        return self._requests.restoring

    @restoring.setter
    def restoring(self, why: str | None) -> None:
        self._requests.restoring = why

    def drive(self) -> Move:
        """Look and act until the droplet is on, or nothing can be done for it."""
        while True:
            section = self._look()
            move = Move.WAIT if section is None else self._next(section)
            doing = self._words.doing(section, self._requests.trouble, self._requests.tries)
            self._duty.look(on=self._is_on(), doing=doing)
            if move in _ENDS:
                self._end(move)
                return move
            if move is not Move.WAIT:
                self._act(move)
            self._check_limits()
            self._pauses.wait()

    def failed(self, why: str) -> StepFailed:
        """The step's failure: what happened, and how the droplet was left."""
        tried = f"Resizing droplet {self._id} from {self._before} to {self._wanted}: {why}."
        return StepFailed(STEP, f"{tried} {self.left(why)}")

    def left(self, told: str) -> str:
        """How the droplet was left, what follows, and the vendor's last words that `told` lacks."""
        trouble = self._requests.trouble
        new = trouble is not None and trouble.clause not in told
        goes_on = self._duty.open and not self._is_on()
        sentences = [
            f"{self.seen()}.",
            "It is tried again until it is on." if goes_on else "",
            str(trouble) if new else "",
        ]
        return " ".join(filter(None, sentences))

    def tell_left(self) -> None:
        """Say in the thread that it is still off, and that this is not the end of it."""
        if self._duty.open:
            left = f"{self.seen()}. It is tried again until it is on."
            self._duty.tell(self._words.story(self._requests.tries, left))

    def seen(self) -> str:
        """How the droplet was when it was seen last."""
        return self._words.seen(self._last, blind=_BLIND in self._ages)

    def _look(self) -> Section | None:
        """The section now; None where the vendor does not say at the moment."""
        try:
            # Actions first: one that ends between the two reads then shows in the droplet.
            actions = self._droplets.list_actions(self._id)
            droplet = self._droplets.get(self._id)
        except VendorError as problem:
            self._requests.trouble = problem
            self._ages.of(_BLIND)
            if problem.kind is FailureKind.PERMANENT:
                self._unreadable(problem)
            return None
        if _BLIND in self._ages:
            self._requests.saw_nothing_for(self._ages.of(_BLIND))
            self._ages.forget(_BLIND)
        self._last = droplet
        self._newest = actions[0].id if actions else None
        owner = owner_of_off(actions, self._duty.sent, seen_on=self._duty.seen_on)
        since = since_action(actions, self._anchor)
        return Section(droplet, since, self._before, self._wanted, owner)

    def _next(self, section: Section) -> Move:
        last = section.last_power
        asked = self._ages.of(f"off {last.id}") if last and last.type in OFF_ACTIONS else 0.0
        move = next_move(
            section,
            asked_off_s=asked,
            grace_s=self._timings.shutdown_grace_s,
            must_restore=self.restoring is not None,
        )
        if move is Move.RESIZE and self._requests.resize_is_late():
            return Move.WAIT
        if move is Move.POWER_ON:
            self._before_power_on(section.owner)
        refused = move is Move.SHUTDOWN and self._requests.no_shutdown
        return Move.POWER_OFF if refused else move

    def _before_power_on(self, owner: Owner) -> None:
        self._ages.of(_POWERING_ON)
        if self._duty.seen_on:
            self._duty.off_again()
        if owner is Owner.UNCERTAIN:
            self._duty.doubt(
                f"Droplet {self._id} is off, and the vendor lists no action that switched it off. "
                "It may have been this run, so it is switched on."
            )

    def _act(self, move: Move) -> None:
        sent = sum(self._requests.tries.values())
        if self._requests.send(move, self._newest):
            self._pauses.reset()
        if sum(self._requests.tries.values()) > sent:
            self._duty.tell(self._words.story(self._requests.tries))

    def _unreadable(self, problem: VendorError) -> None:
        if problem.status == _NOT_FOUND:
            self._duty.end(GONE)
            raise self.failed("it does not exist any more") from problem
        self._give_up("it can no longer be read")

    def _check_limits(self) -> None:
        """What has taken too long: then on again, or a person."""
        passed = self._clock.monotonic() - self._began
        if refused := self._requests.refused_for_long():
            self._give_up(f"the vendor keeps refusing to {refused.value.replace('_', ' ')} it")
        if self._ages.over(_POWERING_ON, self.power_s):
            self._give_up(f"it did not come on within {self.power_s:.0f} s")
        if self._ages.over(_BLIND, self.power_s):
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
        if move is Move.GIVE_UP and (refusal := self._requests.refusal):
            # Only now: a resize that had happened already is refused as well.
            self._duty.refused(refusal)
        watched = self._duty.end(_ENDS[move])
        if watched is not None and _ENDS[move] == ON:
            self._duty.tell(self._words.story(self._requests.tries, self._words.back(watched)))

    def _is_on(self) -> bool:
        on = self._last is not None and self._last.status == "active"
        return on and _BLIND not in self._ages
