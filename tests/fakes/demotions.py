"""Rules that have demoted themselves, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.decisions.demoted import Demotion
from service.ports.controls import Beside


@dataclass(slots=True)
class FakeDemotions:
    """Those in force, and of which people were told; `due` are the rules whose alerts are judged
    again."""

    rows: dict[str, Demotion] = field(default_factory=dict)
    told_at: dict[str, float] = field(default_factory=dict)
    due: list[str] = field(default_factory=list)

    def in_force(self) -> Mapping[str, Demotion]:
        return dict(self.rows)

    def untold(self) -> list[Demotion]:
        return [each for each in self.rows.values() if each.id not in self.told_at]

    def told(self, demotion: str, now: float) -> None:
        self.told_at[demotion] = now

    def end(self, rule: str, who: str, now: float, beside: Beside) -> Demotion | None:
        ended = self.rows.pop(rule, None)
        if ended is not None:
            beside(None)
            self.due.append(rule)
        return ended
