"""The record of droplets that runs switch off, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from service.domain.capacity.refusals import Refusal
from service.domain.errors import StoreUnavailable
from service.ports import MessageRef
from service.ports.offs import OffRecord, Resize, Sent


@dataclass(slots=True)
class FakeOffs:
    """Records by run; `down` makes every call fail."""

    records: dict[str, OffRecord] = field(default_factory=dict)
    resizes: dict[str, Resize] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    all_sent: dict[str, list[Sent | None]] = field(default_factory=dict)
    down: bool = False
    while_reading: Callable[[], object] = lambda: None

    def hold(self, resize: Resize, holder: str, now: float) -> tuple[OffRecord, bool]:
        if (taken := self.take(resize.run, holder)) is not None:
            return taken, False
        made = OffRecord(resize.run, resize.resource, resize.droplet, holder, now, next_at=now)
        self.records[resize.run], self.resizes[resize.run] = made, resize
        self.all_sent[resize.run] = []
        return made, True

    def take(self, run_id: str, holder: str) -> OffRecord | None:
        if self.get(run_id) is not None:
            self._change(run_id, holder=holder)
        return self.get(run_id)

    def get(self, run_id: str) -> OffRecord | None:
        self._refuse_when_down()
        return self.records.get(run_id)

    def sending(self, run_id: str, sent: Sent, now: float) -> int:
        self._refuse_when_down()
        self.all_sent[run_id].append(sent)
        if len(self.all_sent[run_id]) == 1:
            self._change(run_id, since=now)
        self._change(run_id, ended="", sent=self._known(run_id))
        return len(self.all_sent[run_id]) - 1

    def answered(self, run_id: str, number: int, action: int | None) -> None:
        self._refuse_when_down()
        sent = self.all_sent[run_id][number]
        assert sent is not None
        self.all_sent[run_id][number] = None if action is None else replace(sent, id=action)
        self._change(run_id, sent=self._known(run_id))

    def refused(self, run_id: str, words: str) -> None:
        self._refuse_when_down()
        self.words[run_id] = words

    def told(self, run_id: str, line: MessageRef) -> None:
        self._change(run_id, line=line)

    def looked(self, run_id: str, tries: int, next_at: float) -> None:
        if self.records[run_id].tries == tries:
            self._change(run_id, tries=tries + 1, next_at=next_at)

    def end(self, run_id: str, how: str, now: float) -> None:
        self._refuse_when_down()
        if not self.records[run_id].ended:
            self._change(run_id, ended=how)

    def open_again(self, run_id: str) -> None:
        self._change(run_id, ended="")

    def still_open(self) -> Sequence[OffRecord]:
        self._refuse_when_down()
        self.while_reading()
        return sorted((one for one in self.records.values() if one.open), key=lambda one: one.since)

    def refusals(self, resource: str) -> Sequence[Refusal]:
        self._refuse_when_down()
        found = [
            Refusal(run, self.resizes[run].size, self.records[run].since, words)
            for run, words in self.words.items()
            if self.resizes[run].resource == resource
        ]
        return sorted(found, key=lambda one: one.at)

    def _known(self, run_id: str) -> tuple[Sent, ...]:
        return tuple(one for one in self.all_sent[run_id] if one is not None)

    def _change(self, run_id: str, **changes: object) -> None:
        self._refuse_when_down()
        self.records[run_id] = replace(self.records[run_id], **changes)  # type: ignore[arg-type]

    def _refuse_when_down(self) -> None:
        if self.down:
            raise StoreUnavailable("the database cannot be used now")
