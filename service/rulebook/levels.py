"""Levels from YAML: what should hold for a target, and in which windows of the calendar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from service.catalogue.registry import kind_spec
from service.catalogue.shapes import Shape, Text
from service.domain.levels.checks import (
    beaten_floors,
    both_otherwise,
    gaps,
    odd_times,
    overlaps,
)
from service.domain.levels.levels import (
    CALENDAR,
    GROWTH,
    Attribute,
    Bounds,
    Level,
    Levels,
    Statement,
    Value,
)
from service.domain.rules.rules import Target
from service.domain.windows import Window
from service.rulebook.document import Document, Place
from service.rulebook.errors import suggestion
from service.rulebook.growth import read_growth
from service.rulebook.schema import NAME_PATTERN, read_shape
from service.rulebook.substitution import Complain
from service.rulebook.windows import read_window, read_zone

_SAID = ("aim", "floor", "ceiling")
_ALWAYS = "to hold something at all times, say it in otherwise, or change the target's replicas."
_WHEN = 'such as {days: mon-fri, between: ["07:00", "22:00"]}, or {dates: "09-01..09-30"}'
_HOLD = "such as {api: {replicas: {aim: 3}}}"


class _LevelShape(Shape):
    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")] | None = Field(
        default=None,
        description="1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit",
    )
    kind: Literal["calendar", "growth", "schedule"] | None = None
    when: Any = None
    hold: dict[str, Any] | None = None
    otherwise: dict[str, Any] | None = None
    zone: Text | None = None


@dataclass(frozen=True, slots=True)
class ReadLevel:
    """A level as far as it was read, where it is written, and how to note what is wrong with it.

    `places` are those of what it says of an attribute, where a growth says it for many weeks.
    """

    level: Level
    place: Place
    complain: Complain
    places: Mapping[Attribute, Place] = field(default_factory=dict)


def read_levels(
    raw: Mapping[str, Any], document: Document, complain: Complain
) -> Iterator[ReadLevel]:
    """The levels that a file states, noting everything that is wrong with each for itself."""
    given = raw.get("levels")
    if given is None:
        return
    if not isinstance(given, list):
        complain(("levels",), "levels must be a list; begin each with `- name:`.")
        return
    zone = _zone_of(raw)
    for index, body in enumerate(given):
        place: Place = ("levels", index)
        if not isinstance(body, dict):
            complain(place, "a level is a mapping with a name, a kind, when and hold.")
            continue
        written = f"{document.file}:{document.line(place)}"
        if body.get("kind") == GROWTH:
            own = read_zone(body.get("zone"), (*place, "zone"), complain) or zone
            for week in read_growth(body, place, complain, own, written):
                yield ReadLevel(week.level, place, complain, week.places)
            continue
        level = _Reader(body, place, complain, zone).level(written)
        if level is not None:
            yield ReadLevel(level, place, complain)


def zone_of(documents: Iterable[Mapping[str, Any]]) -> str:
    """The zone in which people are told of the levels: that of the first file that has some."""
    return next((_zone_of(each) for each in documents if each.get("levels")), "UTC")


def _zone_of(raw: Mapping[str, Any]) -> str:
    # What is wrong with it has been noted with the rest of the file's top.
    return read_zone(raw.get("zone"), ("zone",), _Silent()) or "UTC"


class _Silent:
    """Takes what is wrong with something that is read twice."""

    def __call__(self, place: Place, sentence: str) -> None:
        """Note nothing."""

    def warn(self, place: Place, sentence: str) -> None:
        """Warn of nothing."""


class _Reader:
    """Reads one level."""

    def __init__(
        self, body: Mapping[str, Any], place: Place, complain: Complain, zone: str
    ) -> None:
        self._place = place
        self._complain = complain
        read = read_shape(_LevelShape, body, place, complain)
        self._shape, self._wrong = read.shape, read.wrong
        self._zone = zone
        if self._shape.zone is not None:
            self._zone = read_zone(self._shape.zone, (*place, "zone"), complain) or zone

    def level(self, written: str) -> Level | None:
        """The level; None where something that it needs is missing or wrong."""
        shape = self._shape
        for key, why in (
            ("name", "what people are told of it by"),
            ("kind", "calendar, growth or schedule"),
            ("when", _WHEN),
            ("hold", _HOLD),
        ):
            if getattr(shape, key) is None and key not in self._wrong:
                self._complain(self._place, f"{key} is missing: {why}.")
        windows = self._windows()
        hold = self._statements("hold", shape.hold)
        otherwise = self._statements("otherwise", shape.otherwise)
        if shape.name is None or shape.kind is None or not windows or not hold:
            return None
        return Level(shape.name, shape.kind, windows, hold, otherwise, written)

    def _windows(self) -> tuple[Window, ...]:
        given = self._shape.when
        if given is None:
            return ()
        several = isinstance(given, list)
        bodies = given if several else [given]
        found = []
        for index, body in enumerate(bodies):
            place = (*self._place, "when", *((index,) if several else ()))
            if not isinstance(body, dict) or not body:
                self._complain(place, f"when must be a window or a list of them, {_WHEN}.")
                continue
            window = read_window(body, place, self._zone, self._complain, _ALWAYS)
            if window is not None:
                found.append(window)
                self._doubt_times(window, place)
        if several and not bodies:
            self._complain((*self._place, "when"), f"when is empty; write windows, {_WHEN}.")
        return tuple(found)

    def _doubt_times(self, window: Window, place: Place) -> None:
        for text, day, odd in odd_times(window):
            said = (
                "the clock skips it: it counts from the moment of the change"
                if odd == "skipped"
                else "the clock shows it twice, and the window is read by the clock both times"
            )
            self._complain.warn(
                (*place, "between"),
                f"{text} in {window.zone}, on {day}: {said}. Choose another time if that matters.",
            )

    def _statements(
        self, key: str, given: Mapping[str, Any] | None
    ) -> Mapping[Attribute, Statement]:
        found: dict[Attribute, Statement] = {}
        for target, attributes in (given or {}).items():
            place: Place = (*self._place, key, target)
            if not isinstance(attributes, dict) or not attributes:
                self._complain(
                    place, f"{key} of {target} must be a mapping of what it holds, {_HOLD}."
                )
                continue
            for name, body in attributes.items():
                statement = self._statement(body, (*place, name))
                if statement is not None:
                    found[target, name] = statement
        if key in self._shape.model_fields_set and given == {}:
            self._complain((*self._place, key), f"{key} holds nothing; write it {_HOLD}.")
        return MappingProxyType(found)

    def _statement(self, body: Any, place: Place) -> Statement | None:
        if not isinstance(body, dict):
            body = {"aim": body}
        unknown = [key for key in body if key not in _SAID]
        for key in unknown:
            self._complain((*place, key), f"unknown key {key!r}; {suggestion(key, _SAID)}")
        said = {key: value for key, value in body.items() if key in _SAID}
        if not said and not unknown:
            self._complain(place, "it says nothing; give it aim, floor or ceiling.")
        fine = bool(said) and not unknown
        for key, value in said.items():
            number = isinstance(value, int) and not isinstance(value, bool)
            if not number and not (key == "aim" and isinstance(value, str) and value):
                also = " or a text" if key == "aim" else ""
                self._complain((*place, key), f"{key} must be a whole number{also}, not {value!r}.")
                fine = False
        if not fine:
            return None
        statement = Statement(**said)
        floor, ceiling = statement.floor, statement.ceiling
        if isinstance(floor, int) and ceiling is not None and floor > ceiling:
            self._complain(place, f"its floor {floor} is above its ceiling {ceiling}.")
            return None
        return statement


def check_levels(read: Sequence[ReadLevel], targets: Mapping[str, Target]) -> None:
    """Check levels against each other and against the targets that they hold."""
    _check_names(read)
    fine = [each for each in read if _suits(each, targets)]
    by_level = {id(each.level): each for each in fine}
    levels = [each.level for each in fine]
    for found in overlaps(levels):
        _note(
            by_level[id(found.later)],
            f"it overlaps with level {found.earlier.name} ({found.earlier.written}) of the same "
            f"kind: both hold {_named(found.attribute)}, first at "
            f"{_moment(found.at, found.later)}. Of one kind only one may hold it at a time.",
        )
    for later, earlier, attribute in both_otherwise(levels):
        _note(
            by_level[id(later)],
            f"level {earlier.name} ({earlier.written}) of the same kind also says otherwise of "
            f"{_named(attribute)}. Only one of them can hold.",
        )
    for low, high, attribute, at in beaten_floors(levels):
        each = by_level[id(low)]
        each.complain.warn(
            each.place,
            f"its floor of {_named(attribute)} is above the ceiling of level {high.name} "
            f"({high.written}), first at {_moment(at, low)}: the ceiling counts then.",
        )
    _doubt_gaps(fine)


def levels_of(read: Sequence[ReadLevel], targets: Mapping[str, Target], zone: str) -> Levels:
    """All levels with the bounds of what they hold; only once nothing was found wrong."""
    levels = tuple(each.level for each in read)
    bounds = {
        (target, name): kind_spec(targets[target].kind).levels(targets[target])[name]
        for level in levels
        for target, name in level.attributes
    }
    return Levels(levels, MappingProxyType(bounds), zone)


def held_targets(read: Sequence[ReadLevel]) -> set[str]:
    """The names of the targets that levels hold."""
    return {target for each in read for target, _ in each.level.attributes}


def _check_names(read: Sequence[ReadLevel]) -> None:
    first: dict[str, ReadLevel] = {}
    for each in read:
        earlier = first.setdefault(each.level.name, each)
        if earlier is not each:
            sentence = f"another level has the same name at {earlier.level.written}."
            each.complain((*each.place, "name"), sentence)


def _suits(each: ReadLevel, targets: Mapping[str, Target]) -> bool:
    """Whether its targets are there, and can be what it says of them."""
    said = [
        (
            each.places.get((name, attribute), (*each.place, key, name, attribute)),
            name,
            attribute,
            it,
        )
        for key in ("hold", "otherwise")
        for (name, attribute), it in getattr(each.level, key).items()
    ]
    fine = [_suits_one(each, *one, targets) for one in said]
    return all(fine)


def _suits_one(
    each: ReadLevel,
    place: Place,
    name: str,
    attribute: str,
    statement: Statement,
    targets: Mapping[str, Target],
) -> bool:
    target = targets.get(name)
    if target is None:
        each.complain(place, f"unknown target {name!r}; {suggestion(name, targets)}")
        return False
    held = kind_spec(target.kind).levels(target)
    if attribute not in held:
        known = f"; it can hold {', '.join(held)}" if held else ""
        each.complain(
            place,
            f"no level can hold {attribute} of {name}, which is of kind {target.kind}{known}.",
        )
        return False
    bounds = held[attribute]
    wrong = _wrong_growth if each.level.grows else _wrong
    sentences = list(wrong(statement, bounds, name, attribute))
    for sentence in sentences:
        each.complain(place, sentence)
    for doubt in _doubts(statement, bounds, name):
        each.complain.warn(place, doubt)
    return not sentences


def _wrong_growth(
    statement: Statement, bounds: Bounds, target: str, attribute: str
) -> Iterator[str]:
    """What a week of a growth cannot say of a target."""
    value = statement.floor if statement.aim is None else statement.aim
    if statement.factor is not None:
        if not bounds.is_number:
            yield f"{attribute} of {target} is no number, so it cannot grow by a factor."
    elif statement.more is not None:
        if not bounds.is_number and not bounds.ladder:
            yield (
                f"{attribute} of {target} has no next one; it can be {', '.join(bounds.values)}."
            )
    elif not bounds.is_number:
        if value not in bounds.values:
            yield f"{value!r} is none of {target}; it can be {', '.join(bounds.values)}."
    elif value is not None:
        yield from _outside("floor", value, bounds, target)


def _wrong(statement: Statement, bounds: Bounds, target: str, attribute: str) -> Iterator[str]:
    for key, value in _said(statement):
        if bounds.is_number:
            yield from _outside(key, value, bounds, target)
        elif key != "aim":
            yield f"{attribute} of {target} is no number, so it has no {key}; write aim."
        elif value not in bounds.values:
            yield f"{value!r} is none of {target}; it can be {', '.join(bounds.values)}."


def _outside(key: str, value: Value, bounds: Bounds, target: str) -> Iterator[str]:
    if not isinstance(value, int):
        yield f"{key} must be a whole number, not {value!r}."
    elif bounds.most is not None and value > bounds.most:
        yield f"its {key} {value} is above the limit {bounds.most} of {target}."
    elif key == "ceiling" and bounds.least is not None and value < bounds.least:
        yield f"its ceiling {value} is below the min {bounds.least} of {target}."
    elif value < 0:
        yield f"its {key} {value} is below 0."


def _doubts(statement: Statement, bounds: Bounds, target: str) -> Iterator[str]:
    aim = statement.aim
    if isinstance(aim, int) and bounds.least is not None and aim < bounds.least:
        yield (
            f"its aim {aim} is below the min {bounds.least} of {target}, which is a floor: "
            f"{bounds.least} will hold."
        )


def _doubt_gaps(read: Sequence[ReadLevel]) -> None:
    """Warn of the times of a year of which no calendar says anything, at the first calendar."""
    calendars = [each for each in read if each.level.kind == CALENDAR]
    for attribute in sorted({each for one in calendars for each in one.level.attributes}):
        found = gaps([each.level for each in calendars], attribute)
        if not found:
            continue
        first = next(each for each in calendars if attribute in each.level.attributes)
        said = ", ".join(
            f"{_day(start, first.level)} to {_day(end - 60, first.level)}"
            for start, end in found[:5]
        )
        first.complain.warn(
            first.place,
            f"no calendar says anything of {_named(attribute)} on these days: {said}. What comes "
            "after calendars counts then.",
        )


def _said(statement: Statement) -> Iterator[tuple[str, Value]]:
    for key in _SAID:
        value = getattr(statement, key)
        if value is not None:
            yield key, value


def _note(each: ReadLevel, sentence: str) -> None:
    each.complain(each.place, sentence)


def _named(attribute: Attribute) -> str:
    return f"{attribute[1]} of {attribute[0]}"


def _day(at: float, level: Level) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(level.windows[0].zone)).strftime("%m-%d")


def _moment(at: float, level: Level) -> str:
    zone = level.windows[0].zone
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
