"""Watchdogs from YAML: alerts that fire always, and for how long each may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from service.catalogue.shapes import Shape, Text
from service.domain.durations import lasted, parse_duration
from service.domain.watchdogs import ABSENT_S, LEAST_ABSENT_S, MOST_ABSENT_S, Watchdog
from service.rulebook.document import Place
from service.rulebook.schema import read_shape
from service.rulebook.substitution import Complain

KEY = "watchdogs"
"""Its key at the top of a file."""
LONGEST_NAME = 200
"""Characters of an alert's name, which becomes part of the page's dedup_key."""


class WatchdogShape(Shape):
    """What is said of one watchdog."""

    absent: Text | None = Field(default=None, description="a duration such as 10m")


def read_watchdogs(raw: Any, complain: Complain) -> dict[str, Watchdog]:
    """The watchdogs by the names of their alerts, noting everything that is wrong with them."""
    if not isinstance(raw, dict) or not raw:
        sentence = "watchdogs must be a mapping of alerts' names, such as Watchdog: {absent: 10m}."
        complain((KEY,), sentence)
        return {}
    return {name: _read(name, body, complain) for name, body in raw.items()}


def _read(name: str, body: Any, complain: Complain) -> Watchdog:
    place: Place = (KEY, name)
    if not name.strip() or len(name) > LONGEST_NAME:
        complain(place, f"an alert's name has 1 to {LONGEST_NAME} characters.")
    if not isinstance(body, Mapping):
        complain(place, f"{name} must be a mapping, such as {{absent: 10m}}.")
        return Watchdog(name)
    shape = read_shape(WatchdogShape, body, place, complain).shape
    if shape.absent is None:
        return Watchdog(name)
    try:
        absent_s = parse_duration(shape.absent).total_seconds()
    except ValueError as error:
        complain((*place, "absent"), f"absent: {error}.")
        return Watchdog(name, ABSENT_S)
    if not LEAST_ABSENT_S <= absent_s <= MOST_ABSENT_S:
        complain(
            (*place, "absent"),
            f"absent must be {lasted(LEAST_ABSENT_S)} to {lasted(MOST_ABSENT_S)}, not "
            f"{shape.absent}: Alertmanager repeats an alert once a minute at best.",
        )
    return Watchdog(name, absent_s)
