"""Messages that wait, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.domain.errors import StoreUnavailable
from service.ports import Message, MessageRef
from service.ports.outbox import Waiting


@dataclass(slots=True)
class FakeOutbox:
    """What waits, by its place, with the time when it is due; `down` makes every call fail."""

    rows: dict[str, tuple[Waiting, float]] = field(default_factory=dict)
    down: bool = False

    def put(self, waiting: Waiting, due_at: float) -> None:
        self._refuse_when_down()
        former = self.rows.get(waiting.key)
        if former is not None:
            self.replace(waiting.key, waiting.message, waiting.since)
        else:
            self.rows[waiting.key] = (waiting, due_at)

    def replace(self, key: str, message: Message, now: float) -> bool:
        self._refuse_when_down()
        if key not in self.rows:
            return False
        waiting, due_at = self.rows[key]
        newer = replace(waiting, message=message, since=now, version=waiting.version + 1)
        self.rows[key] = (newer, due_at)
        return True

    def take(self, now: float, hold_s: float, limit: int) -> Sequence[Waiting]:
        self._refuse_when_down()
        due = [waiting for waiting, due_at in self.rows.values() if due_at <= now]
        taken = sorted(due, key=lambda each: (each.since, each.key))[:limit]
        for each in taken:
            self.rows[each.key] = (each, now + hold_s)
        return taken

    def told(self, waiting: Waiting, ref: MessageRef, now: float) -> None:
        self._refuse_when_down()
        present, _ = self.rows.pop(waiting.key, (waiting, now))
        if present.version != waiting.version:
            self.rows[waiting.key] = (replace(present, ref=ref), now)

    def again(self, waiting: Waiting, due_at: float) -> None:
        self._refuse_when_down()
        if waiting.key in self.rows:
            present, _ = self.rows[waiting.key]
            self.rows[waiting.key] = (replace(present, tries=waiting.tries + 1), due_at)

    def forget(self, waiting: Waiting) -> None:
        self._refuse_when_down()
        self.rows.pop(waiting.key, None)

    def count(self) -> int:
        self._refuse_when_down()
        return len(self.rows)

    def _refuse_when_down(self) -> None:
        if self.down:
            raise StoreUnavailable("the database cannot be used now")
