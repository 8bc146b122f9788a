"""Threads of the library that look at the queues: asleep until they are woken, or for so long."""

from __future__ import annotations

import threading
import time
import weakref

GAP_S = 0.02
"""Between two looks at a queue at least: in a storm every run that begins or ends wakes."""


class Waker:
    """Wakes all sleepers. The library takes it for one of the events that it sets at its end."""

    def __init__(self) -> None:
        self._sleepers: weakref.WeakSet[threading.Event] = weakref.WeakSet()
        self._lock = threading.Lock()

    def add(self) -> threading.Event:
        """Register a sleeper. Returns the event that wakes it."""
        woken = threading.Event()
        with self._lock:
            self._sleepers.add(woken)
        return woken

    def set(self) -> None:
        """Wake all; from any thread."""
        with self._lock:
            for woken in self._sleepers:
                woken.set()


class Sleeper:
    """Stands for the event at which a thread of the library sleeps until it is to stop.

    A wait ends early when the waker wakes. `at_least_s` lengthens each wait: for the library's own
    queue, which nothing of ours uses.
    """

    def __init__(
        self, stop: threading.Event | Sleeper, waker: Waker, at_least_s: float = 0.0
    ) -> None:
        # A sleeper's own event: to ask the sleeper would lengthen this wait by its own.
        self.stop: threading.Event = stop.stop if isinstance(stop, Sleeper) else stop
        self._woken = waker.add()
        self._at_least_s = at_least_s
        self._looked_at = 0.0

    def is_set(self) -> bool:
        """Whether the thread is to end."""
        return self.stop.is_set()

    def wait(self, timeout: float) -> bool:
        """Sleep for `timeout` seconds or until woken; whether the thread is to end."""
        if not self.stop.is_set():
            self._woken.wait(max(timeout, self._at_least_s))
        # Before the look: what is queued during it wakes once more.
        self._woken.clear()
        too_soon_s = self._looked_at + GAP_S - time.monotonic()
        if too_soon_s > 0:
            self.stop.wait(too_soon_s)
        self._looked_at = time.monotonic()
        return self.stop.is_set()
