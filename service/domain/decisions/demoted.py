"""A rule that has demoted itself, as it is kept and shown. Lists read it, so this loads little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from service.domain.decisions.decision_json import moment


@dataclass(frozen=True, slots=True)
class Demotion:
    """A rule in a more careful mode than its own, since `since` (seconds since the epoch)."""

    id: str
    rule: str
    mode: str
    since: float
    why: str

    def to_json(self) -> dict[str, Any]:
        """For the API and the terminal."""
        return {
            "id": self.id,
            "rule": self.rule,
            "mode": self.mode,
            "since": moment(self.since),
            "why": self.why,
        }
