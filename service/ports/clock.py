"""Time, as everything that waits or dates is handed it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def time(self) -> float:
        """Seconds since the epoch: for instants that are stored or shown. It may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back: for how long something lasts."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for that many seconds, at least."""
        ...
