"""RFC 3339 as the senders write it, to aware datetimes in UTC.

Python's own reader is fast but takes far more than RFC 3339 (bare dates, weeks, times without
an offset), and a time without an offset would be a guess. So the shape is checked first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

ZERO_TEXT = "0001-01-01T00:00:00Z"
"""Go's zero time: how the senders write "not ended" (wire contract, Alertmanager)."""

_ZERO = datetime(1, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch


def read_time(text: str) -> datetime | None:
    """The instant in UTC, cut to microseconds; None for the zero time.

    Raises ValueError when it is not an RFC 3339 date and time, or lies outside the years
    1 to 9999 once it is in UTC.
    """
    if text == ZERO_TEXT:
        return None
    if _RFC_3339(text) is None:
        raise ValueError("not an RFC 3339 date and time")
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is not UTC:
        moment = _in_utc(moment)
    return None if moment == _ZERO else moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
