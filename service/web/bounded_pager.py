"""A pager with limits, for a process that may have a flood of pages to send.

It opens few incidents a minute, and none twice in a short time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import structlog

from service.domain.errors import VendorError
from service.ports import Page, Pager

PAGES_A_MINUTE = 10
"""New incidents that one process opens in a minute: a person cannot read more."""
AGAIN_S = 900.0
"""Seconds after which an incident that still applies is sent again: a person may have closed it at
the pager."""
QUIET_S = 15.0
"""Seconds of silence after a page that the pager did not take. The pager may ask for more."""
_MINUTE_S = 60.0

_log = structlog.get_logger(__name__)


class BoundedPager:
    """Sends pages for one thread.

    `pager` is None where no routing key is set. `monotonic` gives seconds.
    """

    def __init__(self, pager: Pager | None, monotonic: Callable[[], float]) -> None:
        self._pager = pager
        self._monotonic = monotonic
        self._sent_at: deque[float] = deque()
        self._told_at: dict[str, float] = {}
        self._quiet_until = 0.0

    def told(self, key: str) -> bool:
        """Whether this incident was sent in the last `AGAIN_S` seconds."""
        told_at = self._told_at.get(key)
        return told_at is not None and self._monotonic() - told_at < AGAIN_S

    def has_room(self) -> bool:
        """Whether one more page may be sent in this minute."""
        now = self._monotonic()
        while self._sent_at and now - self._sent_at[0] >= _MINUTE_S:
            self._sent_at.popleft()
        return len(self._sent_at) < PAGES_A_MINUTE

    def page(self, page: Page) -> bool:
        """Open an incident, unless it was sent a short time ago. Whether the pager has it."""
        if self.told(page.dedup_key):
            return True
        now = self._monotonic()
        if now < self._quiet_until:
            return False
        if self._pager is None:
            _log.error("last_resort_without_key", page=page.summary, set="PAGERDUTY_ROUTING_KEY")
            self._quiet_until = now + _MINUTE_S
            return False
        try:
            self._pager.trigger(page)
        except VendorError as error:
            _log.error("last_resort_not_delivered", page=page.summary, error=str(error))
            self._quiet_until = self._monotonic() + max(error.retry_after or 0.0, QUIET_S)
            return False
        _log.error("last_resort_paged", page=page.summary, incident=page.dedup_key)
        self._sent_at.append(now)
        self._forget_old(now)
        self._told_at[page.dedup_key] = now
        return True

    def close(self, key: str) -> bool:
        """Close an incident. Whether it is closed, or there is no pager to close it at."""
        if self._pager is None:
            return True
        try:
            self._pager.resolve(key)
        except VendorError as error:
            _log.warning("last_resort_not_closed", incident=key, error=str(error))
            return False
        self._told_at.pop(key, None)
        return True

    def _forget_old(self, now: float) -> None:
        self._told_at = {key: at for key, at in self._told_at.items() if now - at < AGAIN_S}
