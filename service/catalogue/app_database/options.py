"""What a rule may say of the actions on the application's database, in `with`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from service.catalogue.shapes import Shape
from service.domain.durations import parse_duration

SHORTEST_AGE_S = 5.0
"""Seconds. Whatever is younger may just be an ordinary query of a busy moment."""
LONGEST_AGE_DAYS = 1
MOST_ENDED = 50
"""Sessions of one run: more than that in trouble wants a person."""


def _age(text: str) -> str:
    age = parse_duration(text, LONGEST_AGE_DAYS)
    if age < timedelta(seconds=SHORTEST_AGE_S):
        raise ValueError("too short")
    return text


Age = Annotated[str, AfterValidator(_age)]
_AN_AGE = "a duration of 5s to 1d, such as 30s"


class KillOptions(Shape):
    """Which sessions are ended: queries that are older than `older_than`, transactions that do
    nothing and are older than `idle_older_than` (null: none of them), and at most `most`."""

    older_than: Age = Field(default="30s", description=_AN_AGE)
    idle_older_than: Age | None = Field(default="5m", description=f"{_AN_AGE}, or null")
    most: int = Field(default=20, ge=1, le=MOST_ENDED)
