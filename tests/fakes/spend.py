"""What the targets cost, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.domain.decisions.budget import Spend


@dataclass(slots=True)
class FakeSpend:
    """Each target that was seen. `reserved` are what runs add, by run: a target and dollars."""

    rows: dict[str, Spend] = field(default_factory=dict)
    reserved: dict[str, tuple[str, float]] = field(default_factory=dict)

    def known(self, besides: str = "") -> Sequence[Spend]:
        return [
            replace(
                each,
                reserved=sum(
                    dollars
                    for run, (target, dollars) in self.reserved.items()
                    if target == name and run != besides
                ),
            )
            for name, each in sorted(self.rows.items())
        ]

    def saw(self, target: str, dollars_month: float | None, now: float) -> None:
        was = self.rows.get(target, Spend(target, None, now))
        if was.seen_at > now:
            return
        self.rows[target] = was.seen(dollars_month, now)
