"""page_oncall: one incident at the pager for each group of alerts (runbook, Alert Configuration).

Pure: a page can be built and sent again at any time, by anyone, even without our own stores,
because its dedup_key (`service.domain.alerts.dedup`) follows from the alerts alone.
"""

from __future__ import annotations

from typing import Any

from service.domain.alerts.floods import FLOOD, INCIDENTS_A_MINUTE
from service.domain.alerts.incident import Incident, links_of, names_of, severity_of, without_data
from service.domain.text import cut
from service.messages.going_on import CLOSES, NOTHING_DONE, SILENCE, explained
from service.ports import Page

SUMMARY_LIMIT = 1024
"""Characters that the pager takes (PagerDuty Events v2)."""

SHOWN_ALERTS = 5
"""Alerts with their labels in the details; the others are counted."""


def page_for(incident: Incident) -> Page:
    """The page for what fires now."""
    return Page(
        dedup_key=incident.key,
        summary=_summary(incident),
        source=incident.source,
        severity=severity_of(incident),
        component=_common_label(incident, ("service", "job", "component")),
        group=", ".join(f"{k}={v}" for k, v in sorted(incident.group_labels.items())),
        details=_details(incident),
        links=links_of(incident),
    )


def _summary(incident: Incident) -> str:
    names = names_of(incident)
    said = next((text for one in incident.alerts if (text := one.annotations.get("summary"))), "")
    text = f"{names}: {said}" if said else names
    if incident.count > 1:
        text = f"{incident.count} alerts: {text}"
    if without_data(incident):
        text = f"No data: {text}"
    if incident.rule == FLOOD:
        text = f"Flood from {_sender(incident)}: {text}"
    return cut(text, SUMMARY_LIMIT)


def _details(incident: Incident) -> dict[str, Any]:
    shown = incident.alerts[:SHOWN_ALERTS]
    details: dict[str, Any] = {
        **_to_go_on(incident),
        **(_of_flood(incident) if incident.rule == FLOOD else _of_rule(incident)),
        "rule": incident.rule,
        "receiver": incident.receiver,
        "firing": incident.count,
        "alerts": [
            {
                "name": one.name,
                "labels": dict(one.labels),
                "annotations": dict(one.annotations),
                "since": one.starts_at.isoformat() if one.starts_at else None,
                "measured": one.measured,
            }
            for one in shown
        ],
    }
    left_out = incident.count - len(shown)
    return details if left_out <= 0 else {**details, "not shown": left_out}


def _to_go_on(incident: Incident) -> dict[str, Any]:
    """Its ids and the command to type, once it is stored."""
    known = incident.run or next(iter(incident.episodes), "")
    if not known:
        return {}
    ids = {"run": incident.run} if incident.run else {}
    return {
        "what to type": explained(known),
        **ids,
        "alert ids": list(incident.episodes[:SHOWN_ALERTS]),
    }


def _of_rule(incident: Incident) -> dict[str, Any]:
    return {
        "what was done": f"Rule {incident.rule} only pages. {NOTHING_DONE}",
        "what next": CLOSES,
        "to stop it": SILENCE,
    }


def _of_flood(incident: Incident) -> dict[str, Any]:
    sender = _sender(incident)
    return {
        "what happened": f"More than {INCIDENTS_A_MINUTE} new incidents within a minute came from "
        f"{sender}. The first {INCIDENTS_A_MINUTE} of each minute are incidents of their own. All "
        "the others are told here as one.",
        "what to do": "`runbookd alerts --firing` lists the alerts. If they are real, look for "
        f"what they have in common. If they are not, take the rights of {sender} away (`scopes` in "
        "the rules file). This incident is closed when the last of its alerts has resolved.",
    }


def _sender(incident: Incident) -> str:
    return incident.group_labels.get("sender", incident.source)


def _common_label(incident: Incident, names: tuple[str, ...]) -> str:
    """What the alerts agree on as the part that is ill; empty where they do not."""
    for name in names:
        values = {one.labels.get(name, "") for one in incident.alerts}
        if len(values) == 1 and (value := values.pop()):
            return value
    return ""
