"""What was done in a time, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.domain.costs.week import RunCount
from service.domain.readings.readings import Reading


@dataclass(slots=True)
class FakeWeeks:
    """Runs as when they were asked for, their action and their status; and readings of days."""

    asked: list[tuple[float, str, str]] = field(default_factory=list)
    read: list[Reading] = field(default_factory=list)

    def runs(self, since: float, until: float) -> Sequence[RunCount]:
        found = Counter(each[1:] for each in self.asked if since <= each[0] < until)
        return [RunCount(*key, count) for key, count in sorted(found.items())]

    def days(self, since: float, until: float) -> Sequence[Reading]:
        found = [each for each in self.read if since <= each.at < until]
        return sorted(found, key=lambda each: (each.at, each.metric, each.target))
