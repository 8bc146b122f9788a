"""A file of a load test, read and checked whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from service.catalogue.shapes import Shape, Text
from service.domain.durations import parse_duration
from service.domain.load import LoadTest, Phase, Step
from service.rulebook.document import Document, Place, read_document
from service.rulebook.errors import Problems
from service.rulebook.schema import read_shape

_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,2})?)%")
_LONGEST_DAYS = 1
_HIGHEST_RATE = 100_000
_NEEDED = ("phases", "journey", "limits", "abort")
_PATH = re.compile(r"/[^\s?#]*")


def _path(given: str) -> str:
    if _PATH.fullmatch(given) is None:
        raise ValueError("must be a path that begins with /, such as /api/quiz")
    return given


def _share(given: str) -> str:
    if _SHARE.fullmatch(given) is None:
        raise ValueError("must be a share in percent, such as 5%")
    return given


class _PhaseShape(Shape):
    name: Text
    duration: Text
    rate: Annotated[int, Field(ge=1, le=_HIGHEST_RATE)] = Field(
        description=f"a whole number of journeys a second, from 1 to {_HIGHEST_RATE}"
    )
    judged: bool = True


class _StepShape(Shape):
    name: Text
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, AfterValidator(_path)]
    json_: Any = Field(default=None, alias="json")
    takes: str = ""


class _JourneyShape(Shape):
    users: Annotated[int, Field(ge=1, le=1_000_000)]
    email: Text
    think: Text = "0"
    steps: Annotated[list[_StepShape], Field(min_length=1, max_length=50)]


class _LimitsShape(Shape):
    requests: Annotated[int, Field(ge=1)]
    seconds: Annotated[int, Field(ge=1)]


class _AbortShape(Shape):
    errors: Annotated[str, AfterValidator(_share)]
    for_: Text = Field(alias="for")


class _FileShape(Shape):
    phases: Annotated[list[_PhaseShape], Field(min_length=1, max_length=100)] = Field(
        description="a list of 1 to 100 phases"
    )
    journey: _JourneyShape
    allow_hosts: list[Text] = Field(default_factory=list)
    limits: _LimitsShape
    abort: _AbortShape


def load_test(path: Path) -> LoadTest:
    """The load test of a file.

    Raises:
        RuleBookInvalid: with every error in it, by line.
    """
    problems = Problems()
    document = read_document(path, problems)
    found = None if document is None else _read(document, problems)
    problems.concluded([str(path)])
    assert found is not None  # noqa: S101 - there are no problems
    return found


class _Reader:
    """Reads one file, and notes what is wrong."""

    def __init__(self, document: Document, problems: Problems) -> None:
        self._document = document
        self._problems = problems
        self.wrong = False

    def complain(self, place: Place, sentence: str) -> None:
        self.wrong = True
        self._problems.add(self._document.file, self._document.line(place), sentence)

    def shape(self) -> _FileShape | None:
        """The file in its shape; None where it has another one."""
        data = self._document.data
        if not isinstance(data, dict):
            self.complain((), "a file of a load test has phases, journey, limits and abort.")
            return None
        if missing := [key for key in _NEEDED if key not in data]:
            self.complain((), f"{', '.join(missing)} missing: a load test has to say it.")
            return None
        try:
            read = read_shape(_FileShape, data, (), self.complain)
        except ValueError:  # what was wrong is needed, so nothing can be read
            return None
        return None if self.wrong else read.shape

    def seconds(self, place: Place, text: str, *, some: bool = True) -> float:
        """The seconds of a duration, more than 0 where there have to be some."""
        try:
            found = parse_duration(text, _LONGEST_DAYS).total_seconds()
        except ValueError as error:
            self.complain(place, f"{place[-1]}: {error}.")
            return 0.0
        if some and not found:
            self.complain(place, f"{place[-1]} has to be longer than 0.")
        return found


def _read(document: Document, problems: Problems) -> LoadTest | None:
    reader = _Reader(document, problems)
    shape = reader.shape()
    if shape is None:
        return None
    _check_names(shape, reader)
    journey, abort = shape.journey, shape.abort
    share = _SHARE.fullmatch(abort.errors)
    test = LoadTest(
        phases=tuple(
            Phase(
                each.name,
                reader.seconds(("phases", index, "duration"), each.duration),
                each.rate,
                each.judged,
            )
            for index, each in enumerate(shape.phases)
        ),
        steps=tuple(
            Step(each.name, each.method, each.path, each.json_, each.takes)
            for each in journey.steps
        ),
        users=journey.users,
        email=journey.email,
        think_s=reader.seconds(("journey", "think"), journey.think, some=False),
        allow_hosts=tuple(shape.allow_hosts),
        most_requests=shape.limits.requests,
        most_seconds=shape.limits.seconds,
        errors=float(share[1]) / 100 if share else 0.0,
        errors_s=reader.seconds(("abort", "for"), abort.for_),
    )
    return None if reader.wrong else test


def _check_names(shape: _FileShape, reader: _Reader) -> None:
    for key, names in (
        ("phases", [each.name for each in shape.phases]),
        ("steps", [each.name for each in shape.journey.steps]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                place = (key, index) if key == "phases" else ("journey", key, index)
                reader.complain(place, f"{name} is the name of two of the {key}.")
