"""Time-outs of vendor calls, and the time that a vendor asks us to wait.

A call ends within about ten seconds, because a worker's lease must be longer than the longest call
(docs/architecture.md, Fencing, leases, adoption).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

_AN_EPOCH = 1_000_000_000
"""A reset above this number is in seconds since the epoch (DigitalOcean). Below it, it is in
seconds from now (Supabase)."""
_RESETS = ("ratelimit-reset", "x-ratelimit-reset")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for one call: to connect, and to wait for the answer."""

    connect: float = 3.0
    read: float = 7.0
    slow_read: float = 20.0
    """For calls that are known to be slow: Supabase needs 6 s to accept a resize
    (docs/vendors.md)."""

    @property
    def total(self) -> float:
        """The longest that one call may take."""
        return self.connect + self.read


def retry_after(
    headers: Mapping[str, str], status: int = 429, now: float | None = None
) -> float | None:
    """Seconds that the vendor asks us to wait: Retry-After, or at a 429 the reset of its rate
    limit.

    The headers of the limit are on every answer, so they count only at a 429. Both may be a number
    or an HTTP date (Cloudflare's reset is one). None if there is no usable value.
    """
    moment = time.time() if now is None else now
    fields = {name.lower(): value for name, value in headers.items()}
    asked = fields.get("retry-after")
    if asked is not None:
        seconds = _number(asked)
        return seconds if seconds is not None else _until_date(asked, moment)
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    resets = (_until(fields[name], moment) for name in _RESETS if name in fields)
    return next((seconds for seconds in resets if seconds is not None), None)


def _until(reset: str, now: float) -> float | None:
    """Seconds until the reset of a rate limit."""
    number = _number(reset)
    if number is None:
        return _until_date(reset, now)
    return number if number < _AN_EPOCH else max(0.0, number - now)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until_date(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
