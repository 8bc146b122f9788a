"""Windows of the calendar from YAML: the weekdays, hours and dates in which something holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from service.catalogue.shapes import Shape, Text
from service.domain.windows import (
    Window,
    WindowError,
    check_zone,
    read_clock,
    read_dates,
    read_days,
)
from service.rulebook.document import Place
from service.rulebook.schema import read_shape
from service.rulebook.substitution import Complain

_T = TypeVar("_T")
_FOR_EVER_S = 8 * 366 * 86_400.0
_A_DAY = 1_767_225_600.0
"""2026-01-01: from here on it is looked whether a window opens."""


class _WhenShape(Shape):
    days: Text | None = None
    between: list[Text] | None = None
    dates: Text | None = None


def read_zone(given: object, place: Place, complain: Complain) -> str | None:
    """A time zone; None where there is none, or it is noted as wrong."""
    if given is None:
        return None
    if not isinstance(given, str):
        complain(place, "zone must be a time zone, such as Europe/Berlin.")
        return None
    return _tried(lambda: _known_zone(given), place, complain)


def read_window(
    raw: Mapping[str, Any],
    place: Place,
    zone: str,
    complain: Complain,
    never_closes: str = "to stop all changes, use mode: off.",
) -> Window | None:
    """A window; None where something about it is wrong, which is noted.

    `never_closes` is what to write instead of one that is always open.
    """
    read_when = read_shape(_WhenShape, raw, place, complain)
    fields: dict[str, Any] = {"zone": zone}
    # A window without what is wrong of it would be another one, and wrong in its own way.
    fine = not read_when.wrong
    for key, read in _PARTS.items():
        given = getattr(read_when.shape, key)
        if given is None:
            if key in raw and fine:
                complain((*place, key), f"{key} has no value; give it one, or leave it out.")
                fine = False
            continue
        found = _tried(partial(read, given), (*place, key), complain)
        if found is None:
            fine = False
        else:
            fields |= found
    return _that_opens(Window(**fields), place, complain, never_closes) if fine else None


def _that_opens(
    window: Window, place: Place, complain: Complain, never_closes: str
) -> Window | None:
    opens = window.opens_after(_A_DAY)
    if opens is None:
        complain(
            place,
            "this window never opens: its dates are over, or none of them falls on such a day.",
        )
        return None
    if window.closes_after(opens or _A_DAY) > _A_DAY + _FOR_EVER_S:
        complain(place, f"this window never closes; {never_closes}")
        return None
    return window


def _days(text: str) -> dict[str, Any]:
    return {"days": read_days(text)}


def _between(pair: list[str]) -> dict[str, Any]:
    if len(pair) != 2:  # noqa: PLR2004 - from and to
        raise WindowError('between takes two times, such as ["16:00", "24:00"].')
    start, end = read_clock(pair[0]), read_clock(pair[1], end=True)
    if start == end:
        raise WindowError(f"between begins and ends at {pair[0]}, so it never opens.")
    return {"start": start, "end": end}


def _dates(text: str) -> dict[str, Any]:
    first, last = read_dates(text)
    return {"first": first, "last": last}


_PARTS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "days": _days,
    "between": _between,
    "dates": _dates,
}


def _known_zone(name: str) -> str:
    check_zone(name)
    return name


def _tried(read: Callable[[], _T], place: Place, complain: Complain) -> _T | None:
    try:
        return read()
    except WindowError as error:
        complain(place, str(error))
        return None
