"""What became of verified changes, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.domain.decisions.expected import CLEARED, PENDING, Judged
from service.ports.outcomes import Outcome


@dataclass(slots=True)
class FakeOutcomes:
    """Outcomes by run; a test says how it went on with their alerts."""

    rows: dict[str, Outcome] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """What the end of a run would have written."""
        self.rows[outcome.run] = outcome

    def take(self, now: float, again_s: float, limit: int) -> list[Outcome]:
        due = [
            each
            for each in self.rows.values()
            if each.judged.next_at is not None and each.judged.next_at <= now
        ]
        due.sort(key=lambda each: (each.judged.next_at or now, each.run))
        taken = sorted(due[:limit], key=lambda each: (each.judged.ended_at, each.run))
        for each in taken:
            self._judge(each.run, replace(each.judged, next_at=now + again_s))
        return [self.rows[each.run] for each in taken]

    def keep(self, run: str, judged: Judged, now: float) -> bool:
        known = self.rows.get(run)
        if known is None or known.judged.result not in (PENDING, judged.result):
            return False
        first = known.judged.result == PENDING
        if judged.counts and not (known.judged.counts or first):
            return False
        self._judge(run, judged)
        if judged.result == CLEARED and known.judged.result == PENDING:
            for each in self.rows.values():
                if _of(each) == _of(known) and each.judged.counts:
                    self._judge(each.run, replace(each.judged, counts=False, next_at=None))
        return True

    def in_vain(self, rule: str, target: str, direction: str) -> list[Outcome]:
        found = [
            each
            for each in self.rows.values()
            if _of(each) == (rule, target, direction)
            and each.judged.counts
            and any(sequel.resolved_at is None for sequel in each.sequels)
        ]
        return sorted(found, key=lambda each: (each.judged.ended_at, each.run))

    def _judge(self, run: str, judged: Judged) -> None:
        self.rows[run] = replace(self.rows[run], judged=judged)


def _of(outcome: Outcome) -> tuple[str, str, str]:
    request = outcome.request
    return request.origin.by, request.target.name, request.direction
