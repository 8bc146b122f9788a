"""The runbook's decision tree: from what was measured to what a person should do first.

(runbook, Manual Scaling Decision Tree.) It recommends and never acts: the alerts that lead here
are those for which the runbook wants a person to look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Question(StrEnum):
    """What the tree asks, in its order."""

    CPU = "CPU"
    MEMORY = "Memory"
    DATABASE = "Free database connections"
    CACHE = "Cache hit ratio"


class Advice(StrEnum):
    """What the tree ends in."""

    HORIZONTAL_SCALE = "scale out: add replicas (horizontal_scale)"
    VERTICAL_SCALE = "scale up: take the next size (vertical_scale)"
    SCALE_DATABASE = "scale the database (scale_database)"
    OPTIMIZE_CACHE = "optimize the cache"
    CHECK_NETWORK = "check the network and the CDN"


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured value; None where there is none, and then `unread` says why."""

    value: float | None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do first, and why. `found` has one line for each question that was asked."""

    advice: Advice
    because: str
    found: tuple[str, ...]
    unread: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    question: Question
    above: bool
    bound: float
    unit: str
    advice: Advice

    def yes(self, value: float) -> bool:
        """Whether the tree branches off here; the bound itself does not."""
        return value > self.bound if self.above else value < self.bound

    def shown(self, value: float) -> str:
        sign = ">" if self.above else "<"
        verdict = "yes" if self.yes(value) else "no"
        return (
            f"{self.question} {sign} {self.bound:g}{self.unit}? {verdict}: {value:.4g}{self.unit}"
        )


TREE = (
    _Node(Question.CPU, True, 70, " %", Advice.HORIZONTAL_SCALE),
    _Node(Question.MEMORY, True, 80, " %", Advice.VERTICAL_SCALE),
    # "DB slow?" has no number in the tree; what the runbook alerts on for the database has one
    # (runbook, Alert Configuration: Database Connection Pool Exhausted).
    _Node(Question.DATABASE, False, 5, "", Advice.SCALE_DATABASE),
    _Node(Question.CACHE, False, 80, " %", Advice.OPTIMIZE_CACHE),
)


def recommend(readings: Mapping[Question, Reading]) -> Recommendation:
    """Down the tree until a question is answered with yes; what could not be read is passed by,
    and named."""
    found: list[str] = []
    unread: list[Question] = []
    for node in TREE:
        reading = readings[node.question]
        if reading.value is None:
            unread.append(node.question)
            found.append(f"{node.question}: not known ({reading.unread})")
            continue
        found.append(node.shown(reading.value))
        if node.yes(reading.value):
            return Recommendation(node.advice, found[-1], tuple(found), tuple(unread))
    because = _nothing_found(unread)
    return Recommendation(Advice.CHECK_NETWORK, because, tuple(found), tuple(unread))


def _nothing_found(unread: list[Question]) -> str:
    names = ", ".join(unread)
    if len(unread) == len(TREE):
        return f"nothing could be measured, so look at these by hand first: {names}"
    if unread:
        return f"nothing that was measured explains it; look at these by hand first: {names}"
    return "CPU, memory, database and cache are all within their bounds"
