"""What the disruptive section says: in the run's thread, in a failure, and in a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.catalogue.context import Watched
from service.catalogue.droplet.moves import IN_PROGRESS, Move, Section
from service.domain.errors import VendorError
from service.ports.droplet import DropletState

_STAGES = (Move.SHUTDOWN, Move.POWER_OFF, Move.RESIZE, Move.POWER_ON)
_POWER = {"off": "OFF", "active": "on"}


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences about one droplet and the size that it is to have."""

    droplet: str
    wanted: str

    def seen(self, last: DropletState | None, *, blind: bool) -> str:
        """How the droplet was when it was seen last, without a full stop."""
        if last is None:
            return f"Droplet {self.droplet} could not be read, so whether it is on is not known"
        when = " when it was seen last" if blind else ""
        return (
            f"Droplet {self.droplet} is {_POWER.get(last.status, last.status)} at {last.size}{when}"
        )

    def back(self, watched: Watched) -> str:
        """That it is on again, and whether somebody was paged about it."""
        page = " The person on call was paged about it." if watched.paged else ""
        return f"Droplet {self.droplet} is on again after {watched.for_s:.0f} s.{page}"

    def story(self, tries: Mapping[str, int], end: str = "") -> str:
        """What was done so far, a line for each kind of request, however often it was sent."""
        lines = [self._stage(move, tries[move]) for move in _STAGES if tries.get(move)]
        return "\n".join([*lines, end] if end else lines)

    def doing(
        self, section: Section | None, trouble: VendorError | None, tries: Mapping[str, int]
    ) -> str:
        """What is under way while it is not on, as a part of a sentence."""
        if section is None:
            return "the vendor cannot be asked" + (f" ({trouble.clause})" if trouble else "")
        sent = tries.get(Move.POWER_ON, 0)
        again = f" after {sent} requests to switch it on" if sent > 1 else ""
        if section.under_way:
            return f"its {self._under_way(section)}{again}"
        if trouble is not None:
            return f"the vendor does not let it go on ({trouble.clause})"
        return f"it is not on{again}"

    def _under_way(self, section: Section) -> str:
        action = section.since[0]
        what = f"resize to {self.wanted}" if action.type == Move.RESIZE else action.type
        at = f" since {action.started_at:%H:%M:%S} UTC" if action.started_at else ""
        return f"{what} is {IN_PROGRESS}{at}"

    def _stage(self, move: Move, tries: int) -> str:
        again = "" if tries == 1 else f" (sent {tries} times)"
        return {
            Move.SHUTDOWN: f"Shutting droplet {self.droplet} down{again}.",
            Move.POWER_OFF: f"Powering it off{again}.",
            Move.RESIZE: f"Resizing it to {self.wanted}, disk untouched{again}.",
            Move.POWER_ON: f"Powering droplet {self.droplet} on{again}.",
        }[move]
