"""Windows of the calendar: on which days, between which hours, in which zone something holds.

A window is read on the wall clock of its zone, by the minute. All of it is pure: `now` is in
seconds since the epoch, and so is every answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)\Z")
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_FULL_DATE_LENGTH = len("2026-09-01")
_A_DAY = timedelta(days=1)
_LOOKED_AHEAD = timedelta(days=9 * 366 - 1)
"""Long enough for a 29 February on each weekday but one in a century year's gap."""
_LEAP = 2024


class WindowError(ValueError):
    """It is no window; the message is a sentence that says what to write instead."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the calendar.

    `days` are weekdays, 0 for Monday. `start` and `end` are minutes of the day. The end is
    excluded; one that is not after the start lies on the next day. `first` and `last` are dates,
    both included: MM-DD of each year, or YYYY-MM-DD of one; None for all dates. A window that runs
    past midnight belongs to the day on which it began.
    """

    days: tuple[int, ...] = tuple(range(7))
    start: int = 0
    end: int = _DAY_MINUTES
    first: str | None = None
    last: str | None = None
    zone: str = "UTC"

    def open_at(self, now: float) -> bool:
        """Whether it is open at this moment."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        if self.end > self.start:
            return self.start <= minute < self.end and self._has(local.date())
        if minute >= self.start:
            return self._has(local.date())
        return minute < self.end and self._has(local.date() - timedelta(days=1))

    def closes_after(self, now: float) -> float:
        """When it next closes; `now` itself when it is not open.

        A window that is always open closes at the end of what is looked at, years ahead.
        """
        if not self.open_at(now):
            return now
        last = now
        for edge in self._edges(now, self._day_that_closes):
            if not self.open_at(edge):
                return edge
            last = edge
        return last

    def opens_after(self, now: float) -> float | None:
        """When it next opens, `now` itself when it is open; None when it never does."""
        if self.open_at(now):
            return now
        edges = self._edges(now, self._day_that_opens)
        return next((edge for edge in edges if self.open_at(edge)), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Window:
        """What `to_json` wrote."""
        return Window(**{**fields, "days": tuple(fields["days"])})

    def _has(self, day: date) -> bool:
        return day.weekday() in self.days and self._dated(day)

    def _dated(self, day: date) -> bool:
        """Whether a day lies within the dates."""
        if self.first is None or self.last is None:
            return True
        at = day.isoformat() if self._of_one_year else day.strftime("%m-%d")
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last  # over the turn of the year

    @property
    def _of_one_year(self) -> bool:
        return self.first is not None and len(self.first) == _FULL_DATE_LENGTH

    def _day_that_opens(self, day: date) -> date | None:
        """The first day from this one on that lies within the dates, or follows one that does;
        None where none ever will."""
        if self.first is None or self._dated(day) or self._dated(day - _A_DAY):
            return day
        if self._of_one_year:
            first = date.fromisoformat(self.first)
            return first if first > day else None
        return next(each for each in _each_year(day, self.first) if each >= day)

    def _day_that_closes(self, day: date) -> date:
        """The first day from this one on after which the window may not be open, where it was open
        on all days until this one."""
        whole = len(self.days) == len(DAYS) and self.start == 0 and self.end == _DAY_MINUTES
        if not whole or self.last is None or not self._dated(day):
            return day
        if self._of_one_year:
            return date.fromisoformat(self.last)
        return next(each for each in _each_year(day, self.last) if each >= day)

    def _edges(self, now: float, skip: Callable[[date], date | None]) -> Iterator[float]:
        """The moments after `now` at which it may open or close, in order.

        On a day on which the clock is changed, the change itself is one, and so are both times at
        which the clock shows an hour that comes twice. `skip` gives for a day the next one that has
        to be looked at: a window of few dates would else be looked for on each day of years.
        """
        zone = ZoneInfo(self.zone)
        minutes = sorted({0, self.start % _DAY_MINUTES, self.end % _DAY_MINUTES})
        day = datetime.fromtimestamp(now, zone).date()
        last = day + _LOOKED_AHEAD
        while day <= last and (looked_at := skip(day)) is not None:
            day = min(looked_at, last)
            yield from (each for each in _moments(day, minutes, zone) if each > now)
            day += _A_DAY


def _each_year(day: date, month_day: str) -> Iterator[date]:
    """A date of each year from that of a day on. A 29 February is the day after the 28th, as it is
    for `Window` where a year has none."""
    month, number = int(month_day[:2]), int(month_day[3:])
    for year in count(day.year):
        try:
            yield date(year, month, number)
        except ValueError:
            yield date(year, 3, 1)


def _moments(day: date, minutes: Sequence[int], zone: ZoneInfo) -> list[float]:
    """When the clock of a zone shows these minutes of a day, and when it is changed on it."""
    shown = [datetime.combine(day, time(each // 60, each % 60), zone) for each in minutes]
    moments = [each.timestamp() for each in shown]
    changed = clock_change(day, zone)
    if changed is None:
        return moments
    twice = (each.replace(fold=1).timestamp() for each in shown)
    return sorted({*moments, *twice, changed})


@lru_cache(maxsize=4096)
def clock_change(day: date, zone: ZoneInfo) -> float | None:
    """When the zone's clock is put forward or back on this day; None on most days."""
    low = datetime.combine(day, time(), zone).timestamp()
    high = datetime.combine(day + timedelta(days=1), time(), zone).timestamp()

    def offset(at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, zone).utcoffset()

    before = offset(low)
    if offset(high) == before:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    return high


def read_days(text: str) -> tuple[int, ...]:
    """`fri`, `mon-fri`, `sat,sun`, `fri-mon` as weekdays.

    Raises:
        WindowError: a word is no weekday.
    """
    found: set[int] = set()
    for part in filter(None, (each.strip().lower() for each in text.split(","))):
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last) if dash else _day(first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    if not found:
        raise WindowError("days names no day; write days such as mon-fri, or fri,sat.")
    return tuple(sorted(found))


def _day(name: str) -> int:
    try:
        return DAYS.index(name.strip())
    except ValueError:
        known = ", ".join(DAYS)
        raise WindowError(f"{name.strip()!r} is no weekday; write {known}.") from None


def read_clock(text: str, *, end: bool = False) -> int:
    """`07:00` in minutes of the day; `24:00` where it is an end.

    Raises:
        WindowError: it is no time of the day.
    """
    if end and text == "24:00":
        return _DAY_MINUTES
    found = _CLOCK.match(text)
    if found is None:
        raise WindowError(f"{text!r} is no time of the day; write it as 07:00.")
    return int(found[1]) * 60 + int(found[2])


def read_dates(text: str) -> tuple[str, str]:
    """`09-01..09-30` (each year), `2026-12-20..2027-01-03`, or one date.

    Raises:
        WindowError: it is no date, or the last is before the first.
    """
    first, dots, last = (part.strip() for part in text.partition(".."))
    last = last if dots else first
    if bool(_FULL_DATE.match(first)) != bool(_FULL_DATE.match(last)):
        raise WindowError(f"{text!r} mixes a date of one year with one of each year.")
    for each in (first, last):
        _check_date(each)
    if _FULL_DATE.match(first) and last < first:
        raise WindowError(f"{text!r} ends before it begins.")
    return first, last


def _check_date(text: str) -> None:
    full = text if _FULL_DATE.match(text) else f"{_LEAP}-{text}"
    if not _FULL_DATE.match(text) and not _MONTH_DAY.match(text):
        raise WindowError(f"{text!r} is no date; write 09-01 for each year, or 2026-09-01.")
    try:
        date.fromisoformat(full)
    except ValueError:
        raise WindowError(f"{text!r} is no date of the calendar.") from None


def check_zone(name: str) -> None:
    """Whether the zone is known here.

    Raises:
        WindowError: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WindowError(f"{name!r} is no time zone; write one such as Europe/Berlin.") from None
