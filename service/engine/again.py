"""Alerts whose guard lets go are judged again, without waiting for their sender.

The alerts are reserved for a while before they are judged, so of many workers one judges them, and
if it dies another one does. Whatever still holds them makes them due again.
"""

from __future__ import annotations

import structlog

from service.engine.parts import WorkerParts

_log = structlog.get_logger(__name__)

AT_ONCE = 256
"""Alerts that are judged in one transaction: some 15 ms of one."""
RESERVED_S = 60.0
"""How long alerts are reserved for the worker that took them."""
_AHEAD_S = 4.0
"""An alert that is due within this many seconds is waited for. The next sign of life comes before
any later one is due (`service.store.leases.DUE_AHEAD_S`)."""


class AgainRound:
    """Ends what is over, and judges what is due; called with each sign of it, on its own thread."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """Wait for what is due in a moment, then judge all that is."""
        clock, due = self._parts.clock, self._parts.due
        self._parts.controls.end_over(clock.time())
        while (at := due.next_due()) is not None and at <= clock.time() + _AHEAD_S:
            clock.sleep(max(0.0, at - clock.time()))
            taken = due.take(clock.time(), AT_ONCE, RESERVED_S)
            if not taken:
                return  # another worker was quicker
            alerts = sum(len(each.notification.alerts) for each in taken)
            _log.info("judged_again", alerts=alerts)
            self._parts.judge_again(taken)
