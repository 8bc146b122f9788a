"""Watchdogs and the heartbeat, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace

from service.domain.errors import VendorError
from service.domain.heartbeat import Waiting
from service.domain.watchdogs import Known, Watchdog
from service.ports import Message
from service.ports.outbox import Waiting as WaitingMessage
from tests.fakes.outbox import FakeOutbox


@dataclass(slots=True)
class FakeWatchdogs:
    """What is on record, when each alert was heard, and where messages wait to be told."""

    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    words: dict[str, float] = field(default_factory=dict)
    rows: dict[str, Known] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)

    def heard(self, alert: str) -> float | None:
        return self.words.get(alert)

    def known(self) -> Sequence[Known]:
        return [self.rows[name] for name in sorted(self.rows)]

    def note(self, watchdog: Watchdog, heard_at: float | None) -> None:
        row = self.rows.get(watchdog.alert, Known(watchdog.alert, watchdog.absent_s))
        newest = max(filter(None, (row.heard_at, heard_at)), default=None)
        self.rows[watchdog.alert] = replace(row, absent_s=watchdog.absent_s, heard_at=newest)

    def silent(self, alert: str, now: float, message: Message) -> bool:
        row = self.rows.get(alert)
        if row is None or row.silent_since is not None:
            return False
        self.rows[alert] = replace(row, silent_since=now, paged_at=None)
        self._tell(f"watchdog/{alert}/silent", message, now)
        return True

    def take(self, alert: str, now: float, hold_s: float) -> bool:
        if alert not in self.rows or self.taken.get(alert, 0.0) > now:
            return False
        self.taken[alert] = now + hold_s
        return True

    def paged(self, alert: str, now: float) -> bool:
        row = self.rows.get(alert)
        if row is None or row.silent_since is None:
            return False
        self.rows[alert] = replace(row, paged_at=now)
        self.taken.pop(alert, None)
        return True

    def back(self, alert: str, now: float, message: Message) -> bool:
        row = self.rows.get(alert)
        if row is None or row.silent_since is None:
            return False
        self.rows[alert] = replace(row, silent_since=None, paged_at=None)
        self.taken.pop(alert, None)
        self._tell(f"watchdog/{alert}/back", message, now)
        return True

    def forget(self, alert: str) -> None:
        self.rows.pop(alert, None)
        self.taken.pop(alert, None)

    def _tell(self, place: str, message: Message, now: float) -> None:
        self.outbox.put(WaitingMessage(place, message, None, None, "", now, 1, 1), now)


@dataclass(slots=True)
class FakeHeartbeats:
    """When the next heartbeat is due, what waits, and what became of the last one."""

    due_at: float = 0.0
    waits: Waiting = field(default_factory=Waiting)
    sent_at: float | None = None
    problem: str = ""

    def take(self, now: float, every_s: float) -> bool:
        if now < self.due_at <= now + every_s:
            return False
        self.due_at = now + every_s
        return True

    def waiting(self) -> Waiting:
        return self.waits

    def said(self, now: float, problem: str, again_s: float) -> None:
        self.problem = problem
        if problem:
            self.due_at = now + again_s
        else:
            self.sent_at = now


@dataclass(slots=True)
class FakeHeartbeat:
    """An address that counts its calls; `problem` is what a call meets."""

    beats: int = 0
    problem: VendorError | None = None

    def beat(self) -> None:
        self.beats += 1
        if self.problem is not None:
            raise copy(self.problem)
