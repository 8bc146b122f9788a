"""Watches that are under way, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.domain.watching import Seen
from service.ports.watches import Watch


@dataclass(slots=True)
class FakeWatches:
    """Each watch with when its look is due; `ended` are those that look no more."""

    going_on: dict[str, tuple[float, Watch]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def put(self, run: str, now: float, ends_at: float) -> None:
        if run not in self.ended:
            self.going_on.setdefault(run, (now, Watch(run, now, ends_at, 0, Seen())))

    def take(self, now: float, hold_s: float) -> Watch | None:
        due = sorted((at, run) for run, (at, _) in self.going_on.items() if at <= now)
        if not due:
            return None
        run = due[0][1]
        watch = self.going_on[run][1]
        taken = replace(watch, token=watch.token + 1)
        self.going_on[run] = (now + hold_s, taken)
        return taken

    def save(self, watch: Watch, seen: Seen) -> bool:
        if not self._is_of(watch):
            return False
        due_at, _ = self.going_on[watch.run]
        self.going_on[watch.run] = (due_at, replace(watch, seen=seen))
        return True

    def owned(self, watch: Watch) -> bool:
        return self._is_of(watch)

    def _is_of(self, watch: Watch) -> bool:
        known = self.going_on.get(watch.run)
        return known is not None and known[1].token == watch.token

    def told(self, watch: Watch, seen: Seen, due_at: float) -> bool:
        if not self._is_of(watch):
            return False
        self.going_on[watch.run] = (due_at, replace(watch, seen=seen))
        return True

    def end(self, run: str, now: float) -> None:
        if self.going_on.pop(run, None) is not None:
            self.ended.add(run)

    def hasten(self, run: str, now: float) -> None:
        """As a cancel does."""
        if run in self.going_on:
            self.going_on[run] = (now, self.going_on[run][1])
