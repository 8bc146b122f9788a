"""start_scenario: what is told where a rule has started no scenario. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.alerts.incident import Incident, links_of, names_of
from service.domain.decisions.requests import Request
from service.messages.going_on import NOTHING_DONE, alerts_named, command
from service.ports import Message


def asked_in_vain(request: Request, incident: Incident, made: Mapping[str, Any]) -> Message:
    """That an alert asked for a scenario and none was started, and why; or, of a rule in shadow,
    what would have been started. `made` has the run's `status` and `reason`, the `scenario`
    that was planned, and `again` where the alert is judged again."""
    name = request.options["scenario"]
    reason = str(made["reason"]).rstrip(".")
    lines = [f"{names_of(incident)}: rule {request.origin.by} asks for scenario {name}."]
    lines.append(f"{reason[:1].upper()}{reason[1:]}.")
    if made["status"] == "shadow":
        title = f"Shadow: scenario {name} would have been started"
        lines.append(f"See its plan: `runbookd scenarios {made['scenario']}`.")
    else:
        title = f"Scenario {name} was not started"
        if made.get("again"):
            lines.append("Once that is over, the alert is judged again by itself.")
        lines.append(f"Start it by hand: `runbookd run {name} --why WHY`.")
    lines.append(f"{NOTHING_DONE} See how it was decided: {command(request.id)}.")
    return Message(
        title=title[:150],
        text="\n".join(lines)[:2900],
        context=" · ".join(
            filter(
                None,
                [f"rule {request.origin.by}", f"run {request.id}", alerts_named(incident.episodes)],
            )
        ),
        links=links_of(incident),
    )
