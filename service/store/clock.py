"""The database's time, between two looks at the database."""

from __future__ import annotations

import time
from collections.abc import Callable


class StoreClock:
    """A clock that shows the database's time; `service.ports.Clock`.

    It is set by what the database says, and goes on from there by the monotonic clock. So all
    workers on one database agree, and a jump of this machine's clock changes nothing in between.
    Until it is set first, it shows this machine's time.
    """

    def __init__(
        self,
        host: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self.set(host())

    def set(self, now: float) -> None:
        """Show `now` (seconds since the epoch, by the database's clock); from any thread."""
        self._offset = now - self._monotonic()

    def time(self) -> float:
        """Seconds since the epoch, by the database's clock."""
        return self._offset + self._monotonic()

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        return self._monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for that many seconds, at least."""
        self._sleep(seconds)
