"""How long something has been so, and how soon a request that had no effect is sent again."""

from __future__ import annotations

from service.catalogue.steps.timings import Timings
from service.ports import Clock


class Pace:
    """Waits between two requests of one kind: doubled each time, never shorter than asked for."""

    def __init__(self, clock: Clock, timings: Timings) -> None:
        self._clock = clock
        self._timings = timings
        self._not_before: dict[str, float] = {}
        self.tries: dict[str, int] = {}
        """How often each kind was sent."""

    def ready(self, kind: str) -> bool:
        """Whether this kind may be sent now."""
        return self._clock.monotonic() >= self._not_before.get(kind, float("-inf"))

    def sent(self, kind: str, asked_s: float | None = None) -> None:
        """Count a request; `asked_s` is how many seconds the vendor asks to wait."""
        tries = self.tries.get(kind, 0)
        self.tries[kind] = tries + 1
        doubled = self._timings.resend_min_s * 2.0 ** min(tries, 10)
        wait = min(self._timings.resend_max_s, max(doubled, asked_s or 0.0))
        self._not_before[kind] = self._clock.monotonic() + wait


class Ages:
    """Remembers since when each thing is so, from the first time it is asked about."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def __contains__(self, what: str) -> bool:
        """Whether it is so."""
        return what in self._since

    def of(self, what: str) -> float:
        """For how many seconds it has been so; 0 when that begins now."""
        now = self._clock.monotonic()
        return now - self._since.setdefault(what, now)

    def over(self, what: str, limit_s: float) -> bool:
        """Whether it has been so for longer than that."""
        return what in self._since and self.of(what) > limit_s

    def forget(self, what: str) -> None:
        """It is so no more."""
        self._since.pop(what, None)

    def later(self, what: str, seconds: float) -> None:
        """Count it from so many seconds later, where it is so."""
        if what in self._since:
            self._since[what] += seconds
