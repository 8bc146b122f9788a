"""Five-field cron expressions: read strictly, and asked for the time before and after a moment.

The rules are those of Debian's cron. A time that the clock skips comes at the moment of the change,
and one that it shows twice comes the first time. A schedule whose minute or hour begins with `*`
goes by real time instead: it leaves out what is skipped, and counts twice what is shown twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from service.domain.windows import DAYS, clock_change

MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
FIELDS = 5
_LOOKED_AT_DAYS = 9 * 366
"""Long enough for a 29 February on each side of a century year that has none."""
_HASHED = re.compile(r"\b[hr]\b", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,2}\Z")


class CronError(ValueError):
    """It is no such expression; the message is a sentence that says what to write instead."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0
    """What the first of the names stands for."""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS, 1),
    _Field("day of the week", 0, 7, ("sun", *DAYS[:-1])),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due. `text` is the expression as it was written, with single spaces.

    `weekdays` are 0 for Monday. `either` is whether a day may match by the month or by the week:
    so it is where the expression restricts both. `real` is whether it goes by real time.
    """

    text: str
    zone: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    real: bool

    def latest(self, now: float) -> float | None:
        """When it was last due, at `now` or before; None where it never was in nine years."""
        for day in _days_from(now, self.zone, -1):
            due = [at for at in _moments(self, day) if at <= now]
            if due:
                return due[-1]
        return None

    def following(self, now: float) -> float | None:
        """When it is due next, after `now`; None where it never is in nine years."""
        for day in _days_from(now, self.zone, 1):
            due = [at for at in _moments(self, day) if at > now]
            if due:
                return due[0]
        return None

    def on(self, day: date) -> bool:
        """Whether it is due on that day of the calendar."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.weekday() in self.weekdays
        return of_month or of_week if self.either else of_month and of_week


@lru_cache(maxsize=1024)
def _moments(cron: Cron, day: date) -> tuple[float, ...]:
    """The moments of one day of the zone at which it is due, in order."""
    if not cron.on(day):
        return ()
    zone = ZoneInfo(cron.zone)
    changed = clock_change(day, zone)
    found: set[float] = set()
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime.combine(day, time(hour, minute), zone)
            if changed is None:
                found.add(local.timestamp())
            else:
                found.update(_on_a_change(local, changed, real=cron.real))
    return tuple(sorted(found))


def _on_a_change(local: datetime, changed: float, *, real: bool) -> list[float]:
    """The moments of a time on a day on which the clock is changed."""
    state = shown(local)
    first = local.timestamp()
    if not state or (state == "twice" and not real):
        return [first]
    if state == "twice":
        return [first, local.replace(fold=1).timestamp()]
    return [] if real else [changed]


def shown(local: datetime) -> str:
    """`skipped` or `twice` where the clock of its zone does that to a time; else empty."""
    first, second = (local.replace(fold=fold).timestamp() for fold in (0, 1))
    if first == second:
        return ""
    return "skipped" if second < first else "twice"


def _days_from(now: float, zone: str, step: int) -> Iterator[date]:
    day = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    for number in range(_LOOKED_AT_DAYS):
        yield day + timedelta(days=step * number)


def read_cron(text: str, zone: str = "UTC") -> Cron:
    """`0 9 * * mon-fri` in the zone of that name, which is known here.

    Raises:
        CronError: it has no five fields, a field holds what is none of its values, or no day of the
            calendar ever matches.
    """
    parts = text.lower().split()
    _check_form(text, parts)
    values = [_read(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = values
    restricts = [not part.startswith("*") for part in parts]
    cron = Cron(
        text=" ".join(parts),
        zone=zone,
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        # Cron's week begins with Sunday, which is 0 and 7; ours is Python's.
        weekdays=frozenset((each - 1) % 7 for each in weekdays),
        either=restricts[2] and restricts[4],
        real=not (restricts[0] and restricts[1]),
    )
    if cron.following(_A_MOMENT) is None:
        raise CronError(f"{text!r} is never due: the calendar has no such day.")
    return cron


_A_MOMENT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""From here on it is looked whether an expression is ever due, so that a file is valid on every
day."""


def _check_form(text: str, parts: list[str]) -> None:
    if text.strip().startswith("@"):
        raise CronError(f"{text!r} is no five fields; write 0 0 * * * instead of @daily.")
    if len(parts) == FIELDS + 1:
        raise CronError(
            f"{text!r} has six fields. There are no seconds here: write minute, hour, day of the "
            "month, month and day of the week, such as 0 9 * * mon-fri."
        )
    if len(parts) != FIELDS:
        raise CronError(
            f"{text!r} has {len(parts)} of five fields: minute, hour, day of the month, month and "
            "day of the week, such as 0 9 * * mon-fri."
        )
    if any(_HASHED.search(part) for part in parts):
        raise CronError(f"{text!r} has a random field; name the value itself, such as 17.")


def _read(part: str, field: _Field) -> set[int]:
    found: set[int] = set()
    for item in part.split(","):
        span, slash, step = item.partition("/")
        low, high = _span(span, field, stepped=bool(slash))
        every = 1
        if slash:
            if not _NUMBER.match(step) or not int(step):
                raise CronError(f"{field.name}: {item!r} needs a step above 0, such as */15.")
            every = int(step)
        found.update(range(low, high + 1, every))
    return found


def _span(text: str, field: _Field, *, stepped: bool) -> tuple[int, int]:
    if text == "*":
        # The week has seven days, though Sunday has two numbers.
        return field.low, min(field.high, 6) if field.names and field.low == 0 else field.high
    first, dash, last = text.partition("-")
    low = _value(first, field)
    if stepped and not dash:
        raise CronError(f"{field.name}: {text}/… needs a range, such as {text}-{field.high}/2.")
    high = _value(last, field) if dash else low
    if high < low:
        raise CronError(f"{field.name}: {text!r} goes backwards; write two ranges.")
    return low, high


def _value(text: str, field: _Field) -> int:
    if text in field.names:
        return field.names.index(text) + field.first
    if not _NUMBER.match(text) or not field.low <= int(text) <= field.high:
        known = f"{field.low} to {field.high}"
        names = f", or {', '.join(field.names)}" if field.names else ""
        raise CronError(f"{field.name}: {text!r} is none of its values; there is {known}{names}.")
    return int(text)


def odd_times(cron: Cron) -> list[tuple[str, date, str]]:
    """The times that its zone's clock skips or shows twice on a day on which it is due.

    Each is a time such as 02:30, the first such day in two years, and `skipped` or `twice`. Empty
    where it goes by real time.
    """
    if cron.real:
        return []
    zone = ZoneInfo(cron.zone)
    found: dict[tuple[str, str], date] = {}
    first = datetime.fromtimestamp(_A_MOMENT, UTC).date()
    for day in (first + timedelta(days=number) for number in range(731)):
        if not cron.on(day) or clock_change(day, zone) is None:
            continue
        for hour in cron.hours:
            for minute in cron.minutes:
                local = datetime.combine(day, time(hour, minute), zone)
                if state := shown(local):
                    found.setdefault((f"{local:%H:%M}", state), day)
    return [(text, day, state) for (text, state), day in found.items()]
