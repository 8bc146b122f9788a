"""Jobs: what is done again and again, and what follows when a time was missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.domain.jobs.cron import Cron

LATEST, SKIP = "latest", "skip"
CATCH_UP = (LATEST, SKIP)
"""What follows when no worker lived at the time: the newest missed one is made up for, or none."""
LATE_S = 300.0
"""How late a job may begin before its time counts as missed, in seconds: a worker that is started
anew needs some tens of seconds, and the dead one's lease is over after less than that."""


@dataclass(frozen=True, slots=True)
class Job:
    """A chore: which action is asked for, at which times.

    `target` is the name of the target, None for an action that changes none. `options` are the
    action's own, as plain JSON that the catalogue has checked. `catch_up` is one of CATCH_UP.
    """

    name: str
    cron: Cron
    action: str
    target: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    catch_up: str = LATEST

    @property
    def schedule(self) -> str:
        """When it is due, as text: another text is another schedule, which counts from anew."""
        return f"{self.cron.text} {self.cron.zone}"

    def missed(self, due_at: float, now: float) -> bool:
        """Whether the time that was due is left out, because it is too long ago."""
        return self.catch_up == SKIP and now - due_at > LATE_S

    def to_json(self) -> dict[str, Any]:
        """Plain values, for people and for the hash of the rules."""
        return {
            "name": self.name,
            "every": self.cron.text,
            "zone": self.cron.zone,
            "action": self.action,
            "target": self.target,
            "with": dict(self.options),
            "catch_up": self.catch_up,
        }
