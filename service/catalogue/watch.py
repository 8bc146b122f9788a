"""`watch`: what it may be asked for (runbook, Viral Growth: watch for 2 h)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect
from service.domain.decisions.claims import NOTIFY
from service.domain.decisions.decision_tree import TREE, Question
from service.domain.durations import parse_duration
from service.domain.readings.metrics import COUNT, DOLLARS, METRICS
from service.domain.watching import read_term, watched

LEAST_S, LONGEST_S = 60.0, 86_400.0
"""The shortest time between two looks, and the longest watch, in seconds. Prometheus scrapes once
or twice a minute. Who wants to watch for longer wants an alert."""
MOST_READINGS = 10
"""Slack shows ten fields in one block; each is a question to Prometheus."""

_NAMES = {
    Question.CPU: "cpu",
    Question.MEMORY: "memory",
    Question.DATABASE: "connections",
    Question.CACHE: "cache",
}
_USUAL = [
    *(
        f"{_NAMES[node.question]} {'>' if node.above else '<'} {node.bound:g}"
        for node in TREE
        if node.question in _NAMES
    ),
    "p95",
    "errors",
    "rps",
]
"""What is shown where nothing is named: the questions of the decision tree with its bounds, and how
the application answers."""


def _a_while(text: str) -> str:
    if not LEAST_S <= parse_duration(text).total_seconds() <= LONGEST_S:
        raise ValueError(f"{text!r} is too short or too long")
    return text


def _a_term(text: str) -> str:
    read_term(text)
    return text


While = Annotated[
    str,
    AfterValidator(_a_while),
    Field(description="a duration from 1m to 24h, such as 2h"),
]
Reading = Annotated[
    str,
    AfterValidator(_a_term),
    Field(description="a reading, alone or with its limit, such as 'cpu > 80' or 'cache < 70'"),
]


class WatchOptions(Shape):
    """For how long, how often, of which target, and which readings with which limits."""

    model_config = ConfigDict(serialize_by_alias=True)

    for_: While | None = Field(
        default=None, alias="for", description="a duration from 1m to 24h, such as 2h"
    )
    every: While = Field(default="5m", description="a duration from 1m to 24h, such as 5m")
    target: Text | None = None
    readings: list[Reading] = Field(default=_USUAL, min_length=1, max_length=MOST_READINGS)


def _lacking(options: Mapping[str, Any]) -> str:
    if options["for"] is None:
        return "watch needs for: how long it watches, such as for: 2h. It ends by itself."
    asked = watched(options)
    if asked.every_s > asked.lasts_s:
        return f"every {options['every']} is longer than for {options['for']}."
    names = [term.name for term in asked.terms]
    if twice := [each for each in dict.fromkeys(names) if names.count(each) > 1]:
        return f"readings names {', '.join(twice)} more than once."
    of_a_target = [each for each in names if each in (COUNT, DOLLARS)]
    if of_a_target and not asked.target:
        return (
            f"{' and '.join(of_a_target)} can only be told of one target; name it with target, or "
            "leave them out."
        )
    return ""


def unknown_in(
    options: Mapping[str, Any], targets: Collection[str], own: Collection[str]
) -> Iterator[tuple[str, str, Sequence[str]]]:
    """The names in the options that the rules do not know: the key, the name, and what is known.
    `own` are the readings that the rule files name."""
    target = options["target"]
    if target is not None and target not in targets:
        yield "target", target, list(targets)
    known = [*METRICS, *(each for each in own if each not in METRICS)]
    for each in options["readings"]:
        name = read_term(each).name
        if name not in known:
            yield "readings", name, known


WATCH = ActionSpec(
    "watch", Effect.TELLS, NOTIFY, options=WatchOptions, lacking=_lacking, undoes=False
)
"""One message that is edited with each look, until it ends by itself."""
