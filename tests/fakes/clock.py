"""A clock that is moved by sleeping; `jump` moves only what it shows as the time of day."""

from __future__ import annotations


class FakeClock:
    def __init__(self, now: float = 1_780_000_000.0) -> None:
        self.now = now
        self._jumped = 0.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now + self._jumped

    def monotonic(self) -> float:
        return self.now

    def jump(self, seconds: float) -> None:
        self._jumped += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
