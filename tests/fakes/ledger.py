"""The ledger, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.domain.capacity.ledger import Entry, Value, seen
from service.domain.decisions.returns import Asker


@dataclass(slots=True)
class FakeLedger:
    """Entries by target and attribute. `asking` are the alerts that ask, `paged` the names of those
    whose incident is open, each with its service. `busy` are targets with a run that writes, and
    `wanting` the alerts that ask for more by rules that only add."""

    rows: dict[tuple[str, str], Entry] = field(default_factory=dict)
    asking: list[Asker] = field(default_factory=list)
    paged: list[tuple[str, str]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    wanting: list[Asker] = field(default_factory=list)

    def put(self, entry: Entry) -> None:
        """What a run has left."""
        self.rows[entry.target, entry.attribute] = entry

    def entries(self) -> Sequence[Entry]:
        return [self.rows[key] for key in sorted(self.rows)]

    def saw(
        self, target: str, values: Mapping[str, Value], looked_at: float, now: float
    ) -> Sequence[Entry]:
        changed = []
        for known in [] if target in self.busy else self.entries():
            if known.target != target or known.attribute not in values or known.at >= looked_at:
                continue
            entry, by_person = seen(known, values[known.attribute])
            self.put(entry)
            changed += [known] if by_person else []
        return changed

    def found(self, target: str, values: Mapping[str, Value], now: float) -> None:
        for name, value in values.items():
            self.rows.setdefault((target, name), Entry(target, name, value, now))

    def waits(self, target: str, attribute: str, saw: str) -> None:
        if (target, attribute) in self.rows:
            self.put(replace(self.rows[target, attribute], waits=saw))

    def askers(self, target: str, alerts: Sequence[str], now: float) -> Sequence[Asker]:
        return list(self.asking)

    def asking_more(self, target: str, now: float) -> Sequence[Asker]:
        return list(self.wanting)

    def open_pages(self, service: str) -> Sequence[str]:
        return [name for name, of in self.paged if service in ("", of)]
