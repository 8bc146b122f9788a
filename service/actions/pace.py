"""How soon a request that had no effect is sent again."""

from __future__ import annotations

from service.actions.timings import Timings
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
