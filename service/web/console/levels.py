"""Levels: what should hold now and why, what changes next, and a year as a strip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, g, request

from service.domain.levels.told import DEFAULT_DAYS, Acted, levels_told
from service.domain.rules.rules import RuleBook
from service.store.filters import only
from service.web.console.pages import page
from service.web.parts import WebParts

YEAR_DAYS = 365
SOON = 6
"""Changes that are written out; the strip has them all."""
HEIGHT, LEAST = 30.0, 6.0
"""Of the strip, and of its lowest bar, in the units of its drawing. A day is one unit wide."""

_DAY_S = 86_400.0
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """Some days on which the same is the most that holds: `first` (a date), how many days after
    now it begins, how many there are, and how high it is drawn."""

    first: str
    begins: int
    days: int
    holds: str
    height: float


def add_levels(console: Blueprint, parts: WebParts) -> None:
    """The page of the levels."""
    years = _Years()

    @console.get("/levels")
    def levels() -> Response:
        only(request.args)
        book, acted = parts.rules().book, parts.levels()
        told = levels_told(book.levels, book.hash, g.now, DEFAULT_DAYS, acted)
        strips = years.of(book, g.now, acted) if told["items"] else {}
        return page(
            "levels.html", told=told, strips=strips, soon=SOON, year=YEAR_DAYS, height=HEIGHT
        )


class _Years:
    """The strips of the rules in force, worked out once a day.

    A schedule of each working day has 520 changes in a year, which take some tenths of a second.
    """

    def __init__(self) -> None:
        self._kept: tuple[object, dict[tuple[str, str], list[Bar]]] = (None, {})

    def of(self, book: RuleBook, now: float, acted: Acted) -> dict[tuple[str, str], list[Bar]]:
        """The bars of each attribute by target and name, from the beginning of today on."""
        today = now - now % _DAY_S
        of = (book.hash, today, tuple(sorted(acted.baselines.items())))
        if self._kept[0] != of:
            told = levels_told(book.levels, book.hash, today, YEAR_DAYS, acted)
            made = {
                (each["target"], each["attribute"]): strip(each, told["at"])
                for each in told["items"]
            }
            self._kept = (of, made)
        return self._kept[1]


def strip(item: Json, now: str) -> list[Bar]:
    """A year of one attribute from now on (ISO 8601), as bars.

    `item` is one of `service.domain.levels.told.levels_told`. Of what holds on one day, the largest
    is drawn: a strip of a year is to show when much is needed, and not each night. The days are
    those of UTC.
    """
    first = datetime.fromisoformat(now).date()
    days: list[Json] = [item] * YEAR_DAYS
    taken: set[int] = set()
    for begins, ends, holds in _spans(item, now):
        for day in range((begins - first).days, min((ends - first).days + 1, YEAR_DAYS)):
            if day not in taken or _rank(holds) > _rank(days[day]):
                days[day] = holds
            taken.add(day)
    low, high = (of(map(_rank, days)) for of in (min, max))
    bars, done = [], 0
    for words, same in groupby(days, key=lambda each: str(each["holds"])):
        drawn = list(same)
        share = 1.0 if high == low else (max(map(_rank, drawn)) - low) / (high - low)
        starts = first + timedelta(days=done)
        height = LEAST + (HEIGHT - LEAST) * share
        bars.append(Bar(starts.isoformat(), done, len(drawn), words, height))
        done += len(drawn)
    return bars


def _spans(item: Json, now: str) -> Iterator[tuple[date, date, Json]]:
    """What holds from which day to which, with the day of its end. An end at midnight has none."""
    changes: Sequence[Json] = item["changes"]
    begins = [datetime.fromisoformat(each) for each in (now, *(each["at"] for each in changes))]
    ends = [*begins[1:], begins[0] + timedelta(days=YEAR_DAYS)]
    for begin, end, holds in zip(begins, ends, (item, *changes), strict=True):
        yield begin.date(), (end - timedelta(microseconds=1)).date(), holds


def _rank(holds: Json) -> int:
    """How much it is: what it should be, or the least; 0 for what is no number, such as a size."""
    return next((each for each in (holds["value"], holds["least"]) if isinstance(each, int)), 0)
