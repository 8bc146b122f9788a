"""Pauses and locks in memory, and the alerts that are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.domain.decisions.controls import Control
from service.ports.admission import Delivery


@dataclass(slots=True)
class FakeControls:
    """What is in force."""

    rows: list[Control] = field(default_factory=list)

    def in_force(self) -> tuple[Control, ...]:
        return tuple(self.rows)

    def end_over(self, now: float) -> None:
        self.rows = [each for each in self.rows if each.until > now]


@dataclass(slots=True)
class FakeDue:
    """Alerts that are due, each as its delivery at its time; `reserved` are those taken before."""

    waiting: list[tuple[float, Delivery]] = field(default_factory=list)
    judged: list[Delivery] = field(default_factory=list)

    def next_due(self) -> float | None:
        return min((at for at, _ in self.waiting), default=None)

    def take(self, now: float, limit: int, again_s: float) -> list[Delivery]:
        due = [each for each in self.waiting if each[0] <= now][:limit]
        for each in due:
            self.waiting[self.waiting.index(each)] = (now + again_s, each[1])
        return [replace(delivery, received_at=now) for _, delivery in due]

    def judge(self, deliveries: Sequence[Delivery]) -> None:
        """Judged, and held by nothing any more."""
        self.judged += deliveries
        kept = {each.kept_as for each in deliveries}
        self.waiting = [each for each in self.waiting if each[1].kept_as not in kept]
