"""The snapshot before a resize: taken once, however often the step that takes it is begun."""

from __future__ import annotations

from collections.abc import Callable

from service.catalogue.context import Record, StepContext
from service.catalogue.droplet.moves import IN_PROGRESS
from service.catalogue.droplet.owner import ERRORED, since_action
from service.catalogue.droplet.plan import snapshot_name
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan
from service.domain.errors import StepFailed
from service.ports import Droplets
from service.ports.droplet import DropletAction

STEP = "snapshot"


def take_snapshot(context: StepContext, droplets: Droplets, plan: Plan, timings: Timings) -> Record:
    """Leave a snapshot named for this run, and the droplet's newest action as a mark.

    The record's `last_action` is where the actions of the next step begin.
    """
    _let_through(context, droplets, plan, timings)
    intent = context.intent(STEP)
    name = snapshot_name(context.run_id, intent.recorded_at)
    taking = _Taking(context, droplets, plan, timings, name)
    if intent.repeated:
        taking.let_appear()
    taking.mark()
    action = apply_once(context, intent, taking.write(), timings)["action"]
    if action is not None:
        context.progress(f"Taking snapshot {name}.")
        taking.complete(action)
    newest = read(taking.actions, clock=context.clock, timings=timings)
    return {"snapshot": name, "last_action": newest[0].id if newest else None}


def _deadline_s(plan: Plan, timings: Timings) -> float:
    """How long a snapshot may take, in seconds: by the disk, whose used part is not known.

    A plan of an earlier version may not say how large the disk is.
    """
    disk_gb = plan.wanted.get("disk_gb") or 0
    return max(timings.snapshot_deadline_s, timings.snapshot_per_gb_s * disk_gb)


def _let_through(context: StepContext, droplets: Droplets, plan: Plan, timings: Timings) -> None:
    """Wait for what runs on the droplet: the vendor takes one action at a time."""
    droplet = plan.wanted["droplet"]

    def look() -> bool | None:
        busy = any(one.status == IN_PROGRESS for one in droplets.list_actions(droplet))
        return None if busy else True

    poll(
        look,
        clock=context.clock,
        timings=timings,
        deadline_s=_deadline_s(plan, timings),
        late=lambda: StepFailed(
            STEP,
            f"Droplet {droplet} was busy with another action for "
            f"{_deadline_s(plan, timings) / 60:.0f} minutes, so no snapshot was asked for. The "
            "droplet was not touched. Look at its actions in the control panel.",
        ),
    )


class _Taking:
    """One snapshot on its way.

    An action does not tell the name of its snapshot, so ours is known by the name in the list, or
    by being the snapshot action that was not there before the write.
    """

    def __init__(
        self, context: StepContext, droplets: Droplets, plan: Plan, timings: Timings, name: str
    ) -> None:
        self._name = name
        self._context = context
        self._droplets = droplets
        self._droplet: str = plan.wanted["droplet"]
        self._anchor: int | None = plan.wanted["last_action"]
        self._timings = timings
        self._deadline_s = _deadline_s(plan, timings)
        self._known: frozenset[int] = frozenset()

    def actions(self) -> list[DropletAction]:
        """All actions on the page, newest first."""
        return list(self._droplets.list_actions(self._droplet))

    def let_appear(self) -> None:
        """A snapshot that a former execution took may be complete and not be listed yet."""
        until = self._context.clock.monotonic() + self._timings.snapshot_listing_s
        taken = self._taken()
        self._poll(
            lambda: not taken or self._listed() or self._context.clock.monotonic() >= until,
            self._deadline_s,
            "Its snapshots could not be listed",
        )

    def mark(self) -> None:
        """Remember what was taken before the write."""
        self._known = frozenset(self._taken())

    def write(self) -> Write[None]:
        """The snapshot, as a write that must take effect once."""

        def look() -> Applied | Pending[None]:
            if self._listed():
                return Applied({"action": None})
            new = [one for one in self._snapshots() if one not in self._known]
            return Applied({"action": new[0]}) if new else Pending(None)

        def send(_: None) -> Record:
            return {"action": self._droplets.act(self._droplet, "snapshot", name=self._name).id}

        what = f"taking snapshot {self._name} of droplet {self._droplet}"
        return Write(STEP, what, look, send)

    def complete(self, action: int) -> None:
        """Wait for the action's end and for its snapshot to be listed."""

        def ended() -> bool:
            status = self._droplets.get_action(self._droplet, action).status
            if status == ERRORED:
                raise self._failed("The vendor could not take it")
            return status != IN_PROGRESS

        minutes = self._deadline_s / 60
        self._poll(
            ended,
            self._deadline_s,
            f"It was not ready after {minutes:.0f} minutes",
        )
        self._poll(
            self._listed, self._timings.snapshot_listing_s, "It was completed, but is not listed"
        )

    def _taken(self) -> list[int]:
        return read(self._snapshots, clock=self._context.clock, timings=self._timings)

    def _snapshots(self) -> list[int]:
        """Snapshot actions since the plan was made that did not fail."""
        since = since_action(self.actions(), self._anchor)
        return [one.id for one in since if one.type == "snapshot" and one.status != ERRORED]

    def _listed(self) -> bool:
        return self._name in self._droplets.snapshot_names(self._droplet)

    def _poll(self, true: Callable[[], bool], deadline_s: float, late: str) -> None:
        poll(
            lambda: True if true() else None,
            clock=self._context.clock,
            timings=self._timings,
            deadline_s=deadline_s,
            late=lambda: self._failed(late),
        )

    def _failed(self, why: str) -> StepFailed:
        return StepFailed(
            STEP,
            f"No snapshot {self._name} of droplet {self._droplet}: {why}. The droplet was not "
            "touched and is not resized without one; look at its snapshots in the control panel.",
        )
