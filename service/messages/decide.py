"""decide: one message with the branch that the readings led to, and the run that it asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.domain.alerts.incident import Incident, links_of, names_of
from service.domain.decisions.requests import PERSON, Origin, Request
from service.messages.going_on import NOTHING_DONE, alerts_named, asked_for, command
from service.ports import Message


def decided(
    incident: Incident,
    wanted: Mapping[str, Any],
    seen: Mapping[str, Any],
    asked: Mapping[str, Any],
    origin: Origin,
) -> Message:
    """What was read and what follows. `wanted` is the branch's `action` and `target`, `seen` the
    `branch`, `because` and `found` of the readings, `asked` the `run`, or the `reason` without.
    `origin` is who wanted a decision, and why."""
    work = f"{wanted['action']} on {wanted['target']}"
    return Message(
        title=f"Decided: {work}" if asked["run"] else f"Decided, and not asked for: {work}",
        text="\n".join(_lines(incident, seen, asked, origin)),
        context=" · ".join(filter(None, [_who(origin), f"run {incident.run}", _named(incident)])),
        links=links_of(incident),
    )


def undecided(request: Request, because: str, found: Sequence[str]) -> Message:
    """That a person's request for a decision has led to nothing, and why."""
    lines = [asked_for(request.origin), because, *(f"• {line}" for line in found), NOTHING_DONE]
    return Message(
        title="Decided: nothing is asked for",
        text="\n".join([*lines, f"See how it was decided: {command(request.id)}."]),
        context=f"{_who(request.origin)} · run {request.id}",
    )


def _who(origin: Origin) -> str:
    return f"asked for by {origin.by}" if origin.kind == PERSON else f"rule {origin.by}"


def _named(incident: Incident) -> str:
    return alerts_named(incident.episodes)


def _lines(
    incident: Incident, seen: Mapping[str, Any], asked: Mapping[str, Any], origin: Origin
) -> Iterator[str]:
    if origin.kind == PERSON:
        yield asked_for(origin)
        yield f"The decision tree leads to {seen['branch']}."
    else:
        yield f"{names_of(incident)}: the decision tree leads to {seen['branch']}."
    yield from (f"• {line}" for line in seen["found"])
    if asked["run"]:
        yield (
            f"Run {asked['run']} was asked for. Guards may still hold it; it tells of itself. "
            f"Follow it: {command(asked['run'])}."
        )
    else:
        yield f"Nothing was asked for: {asked.get('held') or asked['reason']}."
    yield f"See how it was decided: {command(incident.run)}."
