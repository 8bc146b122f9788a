"""decide: one message with the branch that the readings led to, and the run that it asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.domain.alerts.incident import Incident, links_of, names_of
from service.messages.going_on import alerts_named, command
from service.ports import Message


def decided(
    incident: Incident, wanted: Mapping[str, Any], seen: Mapping[str, Any], asked: Mapping[str, Any]
) -> Message:
    """What was read and what follows. `wanted` is the branch's `action` and `target`, `seen` the
    `branch`, `because` and `found` of the readings, `asked` the `run`, or the `reason` without."""
    work = f"{wanted['action']} on {wanted['target']}"
    return Message(
        title=f"Decided: {work}" if asked["run"] else f"Decided, and not asked for: {work}",
        text="\n".join(_lines(incident, seen, asked)),
        context=" · ".join(
            filter(None, [f"rule {incident.rule}", f"run {incident.run}", _named(incident)])
        ),
        links=links_of(incident),
    )


def _named(incident: Incident) -> str:
    return alerts_named(incident.episodes)


def _lines(incident: Incident, seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
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
