"""Growth from YAML: a floor that rises week by week, as a factor of what there was at its start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from service.catalogue.shapes import Shape, Text
from service.domain.levels.levels import GROWTH, Attribute, Level, Statement
from service.domain.windows import Window
from service.rulebook.document import Place
from service.rulebook.schema import NAME_PATTERN, read_shape
from service.rulebook.substitution import Complain

_FOR_GOOD = "9999-12-31"
_MOST_WEEKS = 52
_MOST = 100.0
"""The largest factor: more in a few weeks is a slip of the pen."""
_NEEDED = {
    "name": "what people are told of it by",
    "starts": "the day of its first week, such as 2026-12-07",
    "growth": "how many times as much is expected, such as 2.0",
    "of": "`current` where x is times what there was at the start, `projected` where it is times "
    "what is expected",
    "weeks": "a factor for each week, such as [{x: 1.2}, {x: 1.5}]",
    "hold": "the counts that grow, such as {api: [replicas]}",
}


class _WeekShape(Shape):
    x: float = Field(gt=0, le=_MOST)


class _GrowthShape(Shape):
    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$", max_length=55)] | None = Field(
        default=None,
        description="1 to 55 of a-z, 0-9, - and _, beginning with a letter or digit",
    )
    kind: Literal["growth"] | None = None
    starts: Any = None
    growth: float | None = Field(default=None, gt=0, le=_MOST)
    of: Literal["current", "projected"] | None = None
    weeks: list[_WeekShape] | None = Field(default=None, min_length=1, max_length=_MOST_WEEKS)
    hold: dict[str, list[Text]] | None = None
    zone: Text | None = None


def read_growth(
    body: Mapping[str, Any], place: Place, complain: Complain, zone: str, written: str
) -> tuple[Level, ...]:
    """One level for each week, the last for good; none where something is missing or wrong."""
    read = read_shape(_GrowthShape, body, place, complain)
    shape = read.shape
    missing = [key for key in _NEEDED if getattr(shape, key) is None]
    for key in missing:
        if key not in read.wrong:
            complain(place, f"{key} is missing: {_NEEDED[key]}.")
    starts = _day(shape.starts, (*place, "starts"), complain)
    factors = _factors(shape, (*place, "weeks"), complain)
    held = _held(shape.hold, (*place, "hold"), complain)
    if missing or read.wrong or starts is None or not factors or not held:
        return ()
    return tuple(
        Level(
            name=f"{shape.name}.week-{week + 1}",
            kind=GROWTH,
            windows=(_week(starts, week, last=week + 1 == len(factors), zone=zone),),
            hold=MappingProxyType({each: Statement(factor=factor) for each in held}),
            written=written,
            grows=f"{shape.name} from {starts}",
        )
        for week, factor in enumerate(factors)
    )


def _day(given: object, place: Place, complain: Complain) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        complain(place, f"starts must be a date such as 2026-12-07, not {given!r}.")
        return None


def _factors(shape: _GrowthShape, place: Place, complain: Complain) -> list[float]:
    """Of what there was at the start, for each week."""
    given = [each.x for each in shape.weeks or ()]
    for week, (before, after) in enumerate(pairwise(given), start=2):
        if after <= before:
            complain(
                (*place, week - 1),
                f"week {week} has x {after:g}, and the week before {before:g}: factors must rise.",
            )
            return []
    times = shape.growth if shape.of == "projected" else 1.0
    return [each * (times or 1.0) for each in given]


def _held(
    given: Mapping[str, list[str]] | None, place: Place, complain: Complain
) -> list[Attribute]:
    found = [(target, name) for target, names in (given or {}).items() for name in names]
    if given is not None and not found:
        complain(place, f"hold holds nothing; name {_NEEDED['hold']}.")
    return found


def _week(starts: date, week: int, *, last: bool, zone: str) -> Window:
    first = starts + timedelta(weeks=week)
    ends = _FOR_GOOD if last else (first + timedelta(days=6)).isoformat()
    return Window(first=first.isoformat(), last=ends, zone=zone)
