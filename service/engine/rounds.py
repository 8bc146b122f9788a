"""Something done again and again beside the runs, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)


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
