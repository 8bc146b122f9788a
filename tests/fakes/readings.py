"""The record of readings, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from service.domain.readings.readings import DAY, DAY_S, HOUR, Reading, beginning, reading_of_day

Key = tuple[str, str, float]


@dataclass(slots=True)
class FakeReadings:
    """Readings by their span, metric, target and beginning. `taken` are hours and until when they
    are, `done` the hours that were read."""

    rows: dict[str, dict[Key, Reading]] = field(default_factory=lambda: {HOUR: {}, DAY: {}})
    taken: dict[float, float] = field(default_factory=dict)
    done: set[float] = field(default_factory=set)

    def dealt_with(self, since: float, now: float) -> Collection[float]:
        busy = {at for at, until in self.taken.items() if until > now}
        return {at for at in busy | self.done if at >= since}

    def take(self, hours: Collection[float], until: float, now: float) -> Collection[float]:
        got = set(hours) - set(self.dealt_with(0.0, now))
        self.taken.update(dict.fromkeys(got, until))
        return got

    def keep(self, readings: Sequence[Reading], read: Collection[float]) -> None:
        hours, days = self.rows[HOUR], self.rows[DAY]
        for each in readings:
            hours.setdefault((each.metric, each.target, each.at), each)
        for each in readings:
            day = beginning(each.at, DAY_S)
            of_the_day = [
                one
                for one in hours.values()
                if (one.metric, one.target) == (each.metric, each.target)
                and beginning(one.at, DAY_S) == day
            ]
            days[each.metric, each.target, day] = reading_of_day(of_the_day)
        self.done |= set(read)

    def prune(self, hours_before: float, days_before: float, limit: int) -> int:
        removed = 0
        for span, before in ((HOUR, hours_before), (DAY, days_before)):
            old = sorted(
                (key for key in self.rows[span] if key[2] < before), key=lambda key: key[2]
            )
            for key in old[:limit]:
                del self.rows[span][key]
            removed += len(old[:limit])
        self.done = {at for at in self.done if at >= hours_before}
        return removed

    def newest(self) -> float | None:
        return max((at for _, _, at in self.rows[HOUR]), default=None)
