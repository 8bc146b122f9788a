"""The next move in a droplet's disruptive section, from power-off to power-on.

Pure and without memory: everything follows from what a look shows now, so the section can be
taken up after any crash, by anyone, at any point, and always leads to a droplet that is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.catalogue.droplet.owner import ERRORED, POWER_ACTIONS, Owner
from service.ports.droplet import DropletAction, DropletState

IN_PROGRESS = "in-progress"


class Move(StrEnum):
    """What to do now."""

    SHUTDOWN = "shutdown"
    POWER_OFF = "power_off"
    RESIZE = "resize"
    POWER_ON = "power_on"
    WAIT = "wait"
    DONE = "done"
    """On, and at the size that is wanted."""
    GIVE_UP = "give_up"
    """On, but not at the size that is wanted: nothing more may be tried."""
    GONE = "gone"
    """Archived or in a state that no action leads out of."""
    TAKEN_OVER = "taken_over"
    """Off, and a person switched it off: it is left as it is."""


@dataclass(frozen=True, slots=True)
class Section:
    """What the section shows: the droplet, and the actions on it since the section began.

    `since` is newest first and holds no action from before the section. `owner` is who switched the
    droplet off; it counts only while the droplet is off.
    """

    droplet: DropletState
    since: Sequence[DropletAction]
    before: str
    wanted: str
    owner: Owner = Owner.OURS

    @property
    def under_way(self) -> str | None:
        """The type of the action that runs now; "" where it is locked by one that is not listed.

        Only the newest can run, because the vendor takes one at a time: an older one that still
        says so was cut short.
        """
        if self.since and self.since[0].status == IN_PROGRESS:
            return self.since[0].type
        return "" if self.droplet.locked else None

    @property
    def last_power(self) -> DropletAction | None:
        """The newest action that switched it off or on, whether it succeeded or not."""
        return next((one for one in self.since if one.type in POWER_ACTIONS), None)

    @property
    def resize_failed(self) -> bool:
        """Whether the newest resize ended in an error."""
        newest = next((one for one in self.since if one.type == "resize"), None)
        return newest is not None and newest.status == ERRORED


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a power-off was waited for, and whether a resize may still be tried."""

    asked_off_s: float
    grace_s: float
    must_restore: bool

    @property
    def over(self) -> bool:
        return self.asked_off_s >= self.grace_s


def next_move(
    section: Section, *, grace_s: float, asked_off_s: float = 0.0, must_restore: bool = False
) -> Move:
    """The one thing to do now.

    `grace_s` is how long a shutdown is given before a power-off, `asked_off_s` for how long the
    newest of them has been known without effect. `must_restore` is True once the resize was
    refused or took too long: the droplet is then only brought back on, at whatever size it has.
    """
    patience = _Patience(asked_off_s, grace_s, must_restore or section.resize_failed)
    status = section.droplet.status
    if section.under_way is not None:
        return _while_busy(section, patience)
    if status == "off":
        return _when_off(section, patience)
    if status == "active":
        return _when_on(section, patience)
    return Move.WAIT if status == "new" else Move.GONE


def _while_busy(section: Section, patience: _Patience) -> Move:
    """Only a shutdown that its guest ignores is not waited for: it may hang for ever."""
    ignored = section.under_way == "shutdown" and section.droplet.status == "active"
    cut_short = ignored and patience.over and not patience.must_restore
    return Move.POWER_OFF if cut_short else Move.WAIT


def _when_off(section: Section, patience: _Patience) -> Move:
    if section.owner is Owner.A_PERSON:
        return Move.TAKEN_OVER
    at_old_size = section.droplet.size == section.before
    return Move.RESIZE if at_old_size and not patience.must_restore else Move.POWER_ON


def _when_on(section: Section, patience: _Patience) -> Move:
    if section.droplet.size == section.wanted:
        return Move.DONE
    if patience.must_restore or section.droplet.size != section.before:
        return Move.GIVE_UP
    return _towards_off(section, patience)


def _towards_off(section: Section, patience: _Patience) -> Move:
    last = section.last_power
    if last is None:
        return Move.SHUTDOWN
    if last.type == "power_on":
        # It had been off and somebody, or a former execution that gave up, switched it on.
        return Move.GIVE_UP if last.status != ERRORED else Move.SHUTDOWN
    if last.status == ERRORED:
        return Move.POWER_OFF
    return Move.POWER_OFF if patience.over else Move.WAIT
