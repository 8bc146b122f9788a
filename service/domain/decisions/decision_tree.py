"""The runbook's decision tree: from what was measured to what a person should do first.

(runbook, Manual Scaling Decision Tree.) It recommends and never acts by itself: a rule with
`decide` may name what follows from a branch, else a person looks. It begins at "performance issue
detected", so investigate asks it only for alerts about performance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


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
    """What to do first, and why; `advice` is None where the readings lead to none.

    `found` has one line for each question that was asked.
    """

    advice: Advice | None
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


BRANCHES: Mapping[str, Advice] = MappingProxyType(
    {
        "cpu": Advice.HORIZONTAL_SCALE,
        "memory": Advice.VERTICAL_SCALE,
        "database": Advice.SCALE_DATABASE,
        "cache": Advice.OPTIMIZE_CACHE,
        "network": Advice.CHECK_NETWORK,
    }
)
"""The tree's leaves by the names that rules use, in its order."""


def branch_of(recommendation: Recommendation) -> str:
    """The branch that the readings lead to; empty where they lead to none.

    To act takes more than to recommend: each question before the branch needs a reading, because
    one that is missing may be what is wrong.
    """
    if recommendation.unread:
        return ""
    return next(name for name, each in BRANCHES.items() if each is recommendation.advice)


def trigger_of(action: str) -> tuple[Question, float] | None:
    """The reading above which the tree takes this action, and the bound; None where the tree asks
    whether a reading is below a bound, or does not know the action."""
    for node in TREE:
        if node.above and f"({action})" in node.advice:
            return node.question, node.bound
    return None


def recommend(readings: Mapping[Question, Reading]) -> Recommendation:
    """Down the tree until a question is answered with yes; what could not be read is passed by,
    and named."""
    found: list[str] = []
    unread: list[Question] = []
    for node in TREE:
        reading = readings[node.question]
        if reading.value is None:
            unread.append(node.question)
            found.append(f"{node.question}: not known. {_capital(reading.unread)}")
            continue
        found.append(node.shown(reading.value))
        if node.yes(reading.value):
            return Recommendation(node.advice, found[-1], tuple(found), tuple(unread))
    # What was not measured may be what is wrong: the last leaf needs a "no" to each question.
    if unread:
        return Recommendation(None, _look_by_hand(unread), tuple(found), tuple(unread))
    because = "CPU, memory, database and cache are all within their bounds"
    return Recommendation(Advice.CHECK_NETWORK, because, tuple(found), ())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _look_by_hand(unread: list[Question]) -> str:
    names = ", ".join(unread)
    if len(unread) == len(TREE):
        return f"Nothing could be measured: {names}"
    return f"Nothing that was measured explains it, and these are not known: {names}"


def is_about_performance(name: str) -> bool:
    """Whether an alert of this name is about something that the tree asks about or explains.

    A word for another thing decides: slow reads of a disk are a disk's.
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _PERFORMANCE) and not words & _OTHER_THINGS


_WORD = re.compile(r"[0-9]xx|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""A word of a name, however it is written: HighCPUUsage, high_cpu_usage, High CPU Usage."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERFORMANCE = _words(
    "cpu processor load memory mem ram oom heap swap database db postgres postgresql sql "
    "connection connections pool cache redis latency latencies slow slowness response responses "
    "request requests error errors 4xx 5xx timeout timeouts throughput saturation traffic apdex "
    "performance"
)
_OTHER_THINGS = _words(
    "disk disks filesystem filesystems fs volume volumes storage inode inodes space certificate "
    "certificates cert certs ssl tls backup backups snapshot dns domain job jobs cron cronjob "
    "replication replica clock ntp smart raid fan temperature ups network nic interface license "
    "quota watchdog"
)
