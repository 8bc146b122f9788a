"""What was done in a time, for reports. Every method raises StoreUnavailable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.domain.costs.week import RunCount
from service.domain.readings.readings import Reading


class Weeks(Protocol):
    """Reads the record of runs and of readings. Instants are seconds since the epoch."""

    def runs(self, since: float, until: float) -> Sequence[RunCount]:
        """The runs that were asked for from `since` on and before `until`, without those of a
        replay."""
        ...

    def days(self, since: float, until: float) -> Sequence[Reading]:
        """The readings of the days that began in this time."""
        ...
