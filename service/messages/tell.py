"""tell: what all teams are told, in several channels and at the pager (runbook, notify-all).

Pure: the same run makes the same message, so it can be made again after a crash.
"""

from __future__ import annotations

from service.domain.alerts.dedup import run_dedup_key
from service.domain.alerts.incident import Incident, links_of, names_of, severity_of
from service.domain.announced import filled
from service.messages.going_on import SILENCE, alerts_named, explained
from service.ports import Message, Page

_TITLE, _SUMMARY = 150, 1024
"""Characters of a title in Slack, and of a summary at the pager (PagerDuty Events v2)."""


def announcement(incident: Incident, text: str) -> Message:
    """The message, the same in each channel."""
    context = [
        f"rule {incident.rule}",
        f"run {incident.run}",
        alerts_named(incident.episodes),
        f"`{explained(incident.run)}`",
    ]
    return Message(
        title=f"For all teams: {names_of(incident) or incident.rule}"[:_TITLE],
        text=_said(incident, text),
        context=" · ".join(filter(None, context)),
        links=links_of(incident),
    )


def announcement_page(incident: Incident, text: str, severity: str) -> Page:
    """The page beside it: one incident for each run."""
    return Page(
        dedup_key=run_dedup_key(incident.run),
        summary=_said(incident, text)[:_SUMMARY],
        source=incident.source,
        severity=severity,
        details={
            "what was done": f"Rule {incident.rule} told all teams. It changed nothing.",
            "to stop it": SILENCE,
            "what to type": explained(incident.run),
            "rule": incident.rule,
            "run": incident.run,
            "alert ids": list(incident.episodes[:5]),
        },
        links=links_of(incident),
    )


def _said(incident: Incident, text: str) -> str:
    summaries = (one.annotations.get("summary", "") for one in incident.alerts)
    return filled(
        text,
        {
            "alert": names_of(incident),
            "summary": next(filter(None, summaries), "no summary"),
            "severity": severity_of(incident),
            "count": str(incident.count),
            "source": incident.source,
            "rule": incident.rule,
            "run": incident.run,
        },
    )
