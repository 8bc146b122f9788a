"""An episode as one timeline: the alert, verdicts with their guards, runs, steps, people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.domain.durations import lasted

Json = Mapping[str, Any]

_TOLD = {
    "announce": "Slack is told what will be done",
    "report": "Slack and the pager are told how it ended",
    "tell": "people are told",
    "page": "the pager is told",
}
"""The steps that send a message, in words."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a moment (ISO 8601, UTC).

    `state` is the word that is coloured, empty where there is none. `run` is the run that it
    belongs to. `checks` are those of a verdict's guards, `detail` what a step has recorded.
    """

    at: str
    what: str
    state: str = ""
    run: str = ""
    checks: Sequence[Json] = field(default=())
    detail: Any = None


def timeline(told: Json, doings: Iterable[Json]) -> list[Event]:
    """Everything of an episode in the order in which it happened.

    `told` is what is known of it (`service.store.explain`). `doings` are entries of the audit.
    """
    events = [*_alert(told["alert"]), *_person(doings)]
    for decision in told["decisions"]:
        events += _decision(decision)
    for run in told["runs"]:
        events += _run(run)
    # What was begun by something stands behind it where both have one moment: sorting is stable.
    return sorted(events, key=lambda each: datetime.fromisoformat(each.at))


def while_it_lasted(told: Json, doings: Iterable[Json]) -> list[Json]:
    """Of entries of the audit those since an episode began, until its alert and its runs were
    over."""
    alert, runs = told["alert"], told["runs"]
    begins = [alert["first_seen"]] if alert else [run["created_at"] for run in runs]
    ends = [run["ended_at"] for run in runs] + ([alert["resolved_at"]] if alert else [])
    if not begins:
        return []
    first = min(map(datetime.fromisoformat, begins))
    last = None if None in ends else max(map(datetime.fromisoformat, ends))
    return [
        each
        for each in doings
        if first <= (at := datetime.fromisoformat(each["at"])) and (last is None or at <= last)
    ]


def _alert(alert: Json | None) -> Iterator[Event]:
    if alert is None:
        return
    yield Event(alert["first_seen"], f"{alert['name']} from {alert['source']}", "firing")
    if alert["times_seen"] > 1:
        seen = f"{alert['source']} sent it again, {alert['times_seen']} times in all"
        yield Event(alert["last_seen"], seen)
    if alert["resolved_at"]:
        yield Event(alert["resolved_at"], alert["name"], "resolved")


def _person(doings: Iterable[Json]) -> Iterator[Event]:
    for each in doings:
        refused = "" if each["outcome"] == "done" else f" ({each['outcome']})"
        said = f"{each['who']}: {each['verb']} {each['subject']}{refused}. {each['why']}"
        yield Event(each["at"], said.strip(), "person")


def _decision(decision: Json) -> Iterator[Event]:
    run = decision["run"] or ""
    said = f"rule {decision['rule']}: {decision['reason']}"
    yield Event(decision["decided_at"], said, decision["verdict"], run, decision["checks"])
    if decision["times"] > 1:
        again = f"decided so again, {decision['times']} times in all"
        yield Event(decision["last_at"], f"rule {decision['rule']}: {again}", decision["verdict"])


def _run(run: Json) -> Iterator[Event]:
    for step in run["steps"]:
        words = _TOLD.get(step["name"], "")
        named = f"{words} ({step['name']})" if words else f"step {step['name']}"
        again = f", attempt {step['attempt']}" if step["attempt"] > 1 else ""
        yield Event(
            step["started_at"],
            f"{named}{again}{_lasting(step)}",
            step["status"],
            run["id"],
            detail=step["detail"],
        )
    if run["ended_at"]:
        yield Event(run["ended_at"], run["reason"], run["status"], run["id"], run["checks"])


def _lasting(step: Json) -> str:
    if not step["ended_at"]:
        return ""
    began, ended = (datetime.fromisoformat(step[each]) for each in ("started_at", "ended_at"))
    return f", {lasted((ended - began).total_seconds())}"
