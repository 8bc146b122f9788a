"""For how long something has been so, by the monotonic clock."""

from __future__ import annotations

from service.ports import Clock


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
