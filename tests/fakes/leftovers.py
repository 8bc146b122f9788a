"""What runs have left at a vendor, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from service.ports.leftovers import Leftover


@dataclass(slots=True)
class FakeLeftovers:
    """What is to be removed, each with when it is due."""

    waiting: dict[str, tuple[float, Leftover]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def put(self, run: str, what: Mapping[str, Any], due_at: float) -> None:
        if run not in self.gone:
            self.waiting.setdefault(run, (due_at, Leftover(run, dict(what), 0)))

    def take(self, now: float, again_s: float, limit: int) -> list[Leftover]:
        due = sorted((at, run) for run, (at, _) in self.waiting.items() if at <= now)[:limit]
        found = [self.waiting[run][1] for _, run in due]
        for each in found:
            again = replace(each, tries=each.tries + 1)
            self.waiting[each.run] = (now + again_s, again)
        return found

    def removed(self, run: str, now: float) -> None:
        self.waiting.pop(run, None)
        self.gone.add(run)
