"""A clock that is moved by sleeping; `jump` moves only what it shows as the time of day."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence


class FakeClock:
    def __init__(self, now: float = 1_780_000_000.0) -> None:
        self.now = now
        self._jumped = 0.0
        self.slept: list[float] = []
        self.watchers: list[Callable[[], object]] = []
        """Called each second that is slept, as threads would wake in it."""

    def time(self) -> float:
        return self.now + self._jumped

    def monotonic(self) -> float:
        return self.now

    def jump(self, seconds: float) -> None:
        self._jumped += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        while self.watchers and until - self.now > 1.0:
            self._pass_by(1.0)
        self._pass_by(until - self.now)

    def _pass_by(self, seconds: float) -> None:
        self.now += seconds
        for watcher in self.watchers:
            watcher()


class JumpingClock(FakeClock):
    """Its time of day jumps at each sleep, by `jumps` seconds in turn."""

    def __init__(self, jumps: Sequence[float]) -> None:
        super().__init__()
        self._jumps = itertools.cycle(jumps)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.jump(next(self._jumps))


class OthersClock(FakeClock):
    """The clock of a vendor: it goes on with `ours`, and does not jump with it."""

    def __init__(self, ours: FakeClock) -> None:
        super().__init__()
        self._ours = ours

    def time(self) -> float:
        return self._ours.monotonic()

    def monotonic(self) -> float:
        return self._ours.monotonic()
