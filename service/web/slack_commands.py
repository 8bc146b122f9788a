"""Answers `/runbook` in Slack: short, and to the person who typed it alone."""

from __future__ import annotations

from functools import partial
from typing import Any

from service.domain.decisions.controls import PAUSE
from service.domain.people import NotFound, Person
from service.domain.rules.consulted import consulted
from service.store.explain import explain
from service.triggers.people.asked import Scope
from service.triggers.people.typed import typed
from service.web.parts import WebParts

_MOST_TARGETS = 30
"""Targets that fit into one answer."""


def typed_answer(parts: WebParts, person: Person, text: str) -> str:
    """Do what was typed; what is answered.

    Raises:
        Refusal: it cannot be done, or is no command.
        StoreUnavailable: the store does not answer.
    """
    given = typed(text)
    match given.verb:
        case "pause":
            target, lasts, why = given.words
            scope = Scope(target, None, None, False)
            parts.people.put(person, PAUSE, scope, lasts, why)
            return f"{target} is paused for {lasts}. `/runbook resume {target}` ends that."
        case "resume":
            ended = parts.people.resume(person, given.words[0])
            return f"{given.words[0]} is not paused any more ({len(ended)} ended)."
        case "why":
            return _why(parts, given.words[0])
        case _:
            return _status(parts.status(given.words[0] if given.words else None))


def _why(parts: WebParts, of: str) -> str:
    rules = parts.rules()
    judged = partial(consulted, rules.book, rules.index)
    found = explain(parts.queries, of, judged, parts.clock())
    if found is None:
        raise NotFound(f"There is no alert, decision or run {of[:80]!a}.")
    return "\n".join(f"{each['question']} {each['answer']}" for each in found["answers"])


def _status(found: dict[str, Any]) -> str:
    lines = [_line(each) for each in list(found["targets"].values())[:_MOST_TARGETS]]
    return "\n".join([*lines, f"{found['workers']} workers are alive."])


def _line(target: dict[str, Any]) -> str:
    """One target: what runs, what it waits for, who has paused it, and how its last run ended."""
    said = [f"run {each['id']} is {each['status']}" for each in target["under_way"]]
    said += [f"approval {each['id']} waits" for each in target["approvals"]]
    said += [f"paused by {each['by']}: {each['why']}" for each in target["pauses"]]
    if last := target["last_run"]:
        said.append(f"last run {last['id']} has {last['status']}")
    return f"{target['name']}: {'; '.join(said) or 'nothing is under way'}"
