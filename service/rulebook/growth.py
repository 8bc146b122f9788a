"""Growth from YAML: what rises week by week, such as a factor of what there was at its start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
}
_GROW = "the counts that grow by x, such as {api: [replicas]}"
_HOLD = "such as {database: {replicas: next}, app-cache: {strategy: aggressive}}"
NEXT = "next"
"""One more than there was at the start of the growth, or the next size."""


class _WeekShape(Shape):
    x: float | None = Field(default=None, gt=0, le=_MOST)
    hold: dict[str, dict[str, Any]] | None = None


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


@dataclass(frozen=True, slots=True)
class ReadWeek:
    """The level of one week, and where what it says of each attribute is written."""

    level: Level
    places: Mapping[Attribute, Place]


def read_growth(
    body: Mapping[str, Any], place: Place, complain: Complain, zone: str, written: str
) -> tuple[ReadWeek, ...]:
    """One level for each week, the last for good; none where something is missing or wrong.

    What a week says holds in all later weeks too, until one of them says something else.
    """
    read = read_shape(_GrowthShape, body, place, complain)
    shape = read.shape
    missing = [key for key in _NEEDED if getattr(shape, key) is None]
    by_factor = any(each.x is not None for each in shape.weeks or ())
    if by_factor and shape.hold is None and "hold" not in read.wrong:
        complain(place, f"hold is missing: {_GROW}.")
    for key in missing:
        if key not in read.wrong:
            complain(place, f"{key} is missing: {_NEEDED[key]}.")
    starts = _day(shape.starts, (*place, "starts"), complain)
    rising = _rises(shape, (*place, "weeks"), complain)
    grows = _growing(shape.hold, (*place, "hold"), complain)
    holds = _weekly(shape.weeks or (), (*place, "weeks"), complain)
    if missing or read.wrong or starts is None or not rising or holds is None:
        return ()
    if by_factor and not grows:
        return ()
    return tuple(_weeks(shape, place, starts, grows, holds, zone, written))


def _weeks(
    shape: _GrowthShape,
    place: Place,
    starts: date,
    grows: Sequence[Attribute],
    holds: Sequence[Mapping[Attribute, Statement]],
    zone: str,
    written: str,
) -> Iterator[ReadWeek]:
    times = (shape.growth or 1.0) if shape.of == "projected" else 1.0
    said: dict[Attribute, Statement] = {}
    places: dict[Attribute, Place] = {}
    weeks = shape.weeks or []
    for number, week in enumerate(weeks):
        if week.x is not None:
            said |= dict.fromkeys(grows, Statement(factor=week.x * times))
            places |= {(target, name): (*place, "hold", target) for target, name in grows}
        for (target, name), statement in holds[number].items():
            said[target, name] = statement
            places[target, name] = (*place, "weeks", number, "hold", target, name)
        if said:
            level = Level(
                name=f"{shape.name}.week-{number + 1}",
                kind=GROWTH,
                windows=(_week(starts, number, last=number + 1 == len(weeks), zone=zone),),
                hold=MappingProxyType(dict(said)),
                written=written,
                grows=f"{shape.name} from {starts}",
            )
            yield ReadWeek(level, dict(places))


def _day(given: object, place: Place, complain: Complain) -> date | None:
    if given is None:
        return None
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        complain(place, f"starts must be a date such as 2026-12-07, not {given!r}.")
        return None


def _rises(shape: _GrowthShape, place: Place, complain: Complain) -> bool:
    """Whether each factor is larger than the one before it."""
    given = [(week, each.x) for week, each in enumerate(shape.weeks or (), start=1) if each.x]
    for (earlier, before), (week, after) in pairwise(given):
        if after <= before:
            said = "the week before" if earlier == week - 1 else f"week {earlier}"
            complain(
                (*place, week - 1),
                f"week {week} has x {after:g}, and {said} {before:g}: factors must rise.",
            )
            return False
    return True


def _growing(
    given: Mapping[str, list[str]] | None, place: Place, complain: Complain
) -> list[Attribute]:
    found = [(target, name) for target, names in (given or {}).items() for name in names]
    if given is not None and not found:
        complain(place, f"hold holds nothing; name {_GROW}.")
    return found


def _weekly(
    weeks: Sequence[_WeekShape], place: Place, complain: Complain
) -> list[dict[Attribute, Statement]] | None:
    """What each week holds besides its factor; None where something is wrong."""
    found: list[dict[Attribute, Statement]] = []
    fine = True
    for number, week in enumerate(weeks):
        held: dict[Attribute, Statement] = {}
        if week.x is None and not week.hold:
            complain(
                (*place, number), f"week {number + 1} says nothing; give it x, or hold {_HOLD}."
            )
            fine = False
        for target, said in (week.hold or {}).items():
            for name, value in said.items():
                statement = _statement(value)
                if statement is None:
                    complain(
                        (*place, number, "hold", target, name),
                        f"week {number + 1} holds {name} of {target} at {value!r}; write a whole "
                        f"number, a size, a strategy or {NEXT}, {_HOLD}.",
                    )
                    fine = False
                else:
                    held[target, name] = statement
        found.append(held)
    return found if fine else None


def _statement(value: Any) -> Statement | None:
    if value == NEXT:
        return Statement(more=1)
    if isinstance(value, int) and not isinstance(value, bool):
        return Statement(floor=value)
    return Statement(aim=value) if isinstance(value, str) and value else None


def _week(starts: date, week: int, *, last: bool, zone: str) -> Window:
    first = starts + timedelta(weeks=week)
    ends = _FOR_GOOD if last else (first + timedelta(days=6)).isoformat()
    return Window(first=first.isoformat(), last=ends, zone=zone)
