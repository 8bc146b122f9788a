"""Something done again and again beside the runs, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_Value = TypeVar("_Value")


class Rounds:
    """Calls `one` every `interval_s` seconds until it is stopped; a round that fails is logged."""

    def __init__(self, name: str, interval_s: float, one: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._one = one
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first round is after the first interval."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Begin no more rounds, and give the one under way `wait_s` seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=wait_s)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._one()
            except Exception:
                _log.exception("round_failed", of=self._thread.name, consequence="tried again")


class Handed(Generic[_Value]):
    """Calls `one` with what it is handed, on a thread of its own; a call that fails is logged.

    What comes while a call is going on is kept until it has ended. Of several, the last one counts.
    """

    def __init__(self, name: str, one: Callable[[_Value], None]) -> None:
        self._one = one
        self._stop = threading.Event()
        self._there = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def hand(self, value: _Value) -> None:
        """Have `one` called with this; never waits."""
        self._value = value
        self._there.set()

    def start(self) -> None:
        """Begin, with what has been handed over already."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Begin no more calls, and give the one under way `wait_s` seconds."""
        self._stop.set()
        self._there.set()
        if self._thread.is_alive():
            self._thread.join(timeout=wait_s)

    def _run(self) -> None:
        while self._there.wait() and not self._stop.is_set():
            # Before it is read: what comes from now on is another call.
            self._there.clear()
            try:
                self._one(self._value)
            except Exception:
                _log.exception("round_failed", of=self._thread.name, consequence="tried again")
