"""Watches: what is looked at for a while after a change, and what came of it so far. Pure.

A look takes each reading once. A reading that could not be taken is kept as such: it is never 0,
and never the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from service.domain.durations import parse_duration

_TERM = re.compile(r"\s*([a-z][a-z0-9_]{0,31})\s*(?:([<>])\s*(-?[0-9]{1,12}(?:\.[0-9]{1,6})?)\s*)?")


@dataclass(frozen=True, slots=True)
class Term:
    """A reading by its name, and the limit beyond which people are told so: `sign` is `>` or `<`,
    empty where there is no limit. `limit` is in the reading's own unit."""

    name: str
    sign: str = ""
    limit: float = 0.0

    def beyond(self, value: float) -> bool:
        """Whether a value is beyond the limit. The limit itself is not."""
        if self.sign == ">":
            return value > self.limit
        return self.sign == "<" and value < self.limit


def read_term(text: str) -> Term:
    """The term that is written as `cpu`, `cpu > 80` or `cache < 70`.

    Raises:
        ValueError: it is none.
    """
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no reading with its limit")
    name, sign, limit = found.groups()
    return Term(name, sign or "", float(limit) if limit else 0.0)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a run watches: for how long and how often, in seconds; the target's name, empty for the
    whole application; and the readings."""

    lasts_s: float
    every_s: float
    target: str
    terms: tuple[Term, ...]

    @property
    def what(self) -> str:
        """What is watched, for people."""
        return self.target or "the application"


def watched(options: Mapping[str, Any]) -> Watched:
    """The options of a run, once they were checked."""
    return Watched(
        parse_duration(options["for"]).total_seconds(),
        parse_duration(options["every"]).total_seconds(),
        options["target"] or "",
        tuple(read_term(each) for each in options["readings"]),
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """One reading in one look: its value, or why there is none."""

    value: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a watch has seen of one reading. Values are in its unit, and None while it had none.

    `last` is that of the last look, None where this one had none; then `why` says why. `measured`
    is in how many looks it had a value, `beyond` in how many that was beyond its limit.
    """

    first: float | None = None
    low: float | None = None
    high: float | None = None
    last: float | None = None
    why: str = ""
    measured: int = 0
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch has seen so far.

    `at` is when it looked last, in seconds since the epoch. `traces` are by the name of the
    reading. `first` and `state` say how the target was at the first look and the last one, empty
    where there is no target; `unseen` is why it could not be looked at. `ended` is why no further
    look follows, empty while one does. `untold` is whether people have yet to be told of this look.
    """

    looks: int = 0
    at: float = 0.0
    traces: Mapping[str, Trace] = field(default_factory=dict)
    first: str = ""
    state: str = ""
    unseen: str = ""
    ended: str = ""
    cancelled: bool = False
    untold: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain values, to be kept."""
        return asdict(self)


def seen_from_json(values: Mapping[str, Any]) -> Seen:
    """What `Seen.to_json` has made."""
    traces = {name: Trace(**each) for name, each in values.get("traces", {}).items()}
    return Seen(**{**values, "traces": traces})


def looked(
    seen: Seen,
    terms: Sequence[Term],
    taken: Mapping[str, Taken],
    now: float,
    state: Taken | str = "",
) -> Seen:
    """What is known after one more look. `state` is how the target is, in words; or why it could
    not be looked at."""
    traces = {
        term.name: _traced(seen.traces.get(term.name, Trace()), term, taken[term.name])
        for term in terms
    }
    said = state if isinstance(state, str) else ""
    return replace(
        seen,
        looks=seen.looks + 1,
        at=now,
        traces=traces,
        first=seen.first or said,
        state=said,
        unseen="" if isinstance(state, str) else state.why,
        untold=True,
    )


def ending(seen: Seen, why: str, *, cancelled: bool = False) -> Seen:
    """As it is told for the last time."""
    return replace(seen, ended=why, cancelled=cancelled, untold=True)


def _traced(trace: Trace, term: Term, taken: Taken) -> Trace:
    value = taken.value
    if value is None:
        return replace(trace, last=None, why=taken.why)
    return Trace(
        first=value if trace.first is None else trace.first,
        low=value if trace.low is None else min(trace.low, value),
        high=value if trace.high is None else max(trace.high, value),
        last=value,
        measured=trace.measured + 1,
        beyond=trace.beyond + term.beyond(value),
    )


def beyond_now(seen: Seen, terms: Sequence[Term]) -> list[Term]:
    """The readings that are beyond their limit by the last look."""
    lasts = {term: seen.traces.get(term.name, Trace()).last for term in terms}
    return [term for term, value in lasts.items() if value is not None and term.beyond(value)]
