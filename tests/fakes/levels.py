"""The record of levels, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from service.domain.decisions.decision import Check
from service.domain.decisions.requests import Request
from service.domain.levels.acting import check_level
from service.domain.levels.applied import Applied
from service.domain.levels.levels import Attribute, Baseline, Value
from service.ports.levels import BOOK_SILENT_S, CHANGING_S


@dataclass(slots=True)
class FakeLevels:
    """What became of each attribute. `statuses` has the status and the end of a run."""

    known: dict[Attribute, Applied] = field(default_factory=dict)
    rules: str = ""
    seen_at: float = 0.0
    since: float = 0.0
    told: dict[str, str] = field(default_factory=dict)
    grown: dict[Baseline, Value] = field(default_factory=dict)
    statuses: dict[str, tuple[str, float | None]] = field(default_factory=dict)

    def put_in_force(self, rules_hash: str, now: float, *, starts: bool) -> bool:
        mine = self.rules in ("", rules_hash)
        if not (starts or mine) and now < self.seen_at + BOOK_SILENT_S:
            return False
        self.since = self.since if self.rules == rules_hash else now
        self.rules, self.seen_at = rules_hash, now
        return True

    def in_force(self) -> str:
        return self.rules

    def binds(self, rules_hash: str, now: float) -> bool:
        mine = self.rules == rules_hash
        return self.rules != "" and (mine or now < self.since + CHANGING_S)

    def rows(self) -> Mapping[Attribute, Applied]:
        found = {}
        for attribute, each in self.known.items():
            status, ended_at = self.statuses.get(each.run, ("", None))
            found[attribute] = replace(each, status=status, ended_at=ended_at)
        return found

    def asked(self, connection: Any, request: Request, now: float) -> None:
        for each in {held.of: held for held in request.held}.values():
            was = self._of((request.target.name, each.of))
            tries = was.tries + 1 if was.asked_says == each.says else 1
            self.known[request.target.name, each.of] = replace(
                was, asked_says=each.says, run=request.id, tries=tries, waits=""
            )

    def applied(self, attribute: Attribute, says: str, now: float) -> None:
        was = self._of(attribute)
        at = was.applied_at if was.applied_says == says else now
        run = was.run if was.asked_says == says else ""
        self.known[attribute] = replace(
            was, applied_says=says, applied_at=at, applied_run=run, tries=0, waits=""
        )

    def waits(self, attribute: Attribute, saw: str) -> None:
        self.known[attribute] = replace(self._of(attribute), waits=saw)

    def is_news(self, level: str, digest: str, now: float) -> bool:
        known = self.told.get(level)
        self.told[level] = digest
        return known != digest

    def baselines(self) -> Mapping[Baseline, Value]:
        return dict(self.grown)

    def keep_baseline(self, of: Baseline, value: Value, now: float) -> None:
        self.grown.setdefault(of, value)

    def check(self, request: Request, now: float) -> Check:
        undone = {key: each.undone for key, each in self.known.items() if each.undone is not None}
        return check_level(request, self.rules, undone, now)

    def _of(self, attribute: Attribute) -> Applied:
        return self.known.get(attribute, Applied())
