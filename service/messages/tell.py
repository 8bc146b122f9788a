"""tell: what all teams are told, in several channels and at the pager (runbook, notify-all).

Pure: the same run makes the same message, so it can be made again after a crash.
"""

from __future__ import annotations

from service.domain.alerts.dedup import run_dedup_key
from service.domain.alerts.incident import Incident, links_of, names_of, severity_of
from service.domain.announced import filled
from service.domain.decisions.requests import PERSON, Origin
from service.messages.announcements import SOURCE
from service.messages.going_on import SILENCE, alerts_named, explained
from service.ports import Message, Page

_CLOSE_IT = "Resolve it at the pager: nothing else does."
_TITLE, _SUMMARY = 150, 1024
"""Characters of a title in Slack, and of a summary at the pager (PagerDuty Events v2)."""


def announcement(incident: Incident, text: str, asked: Origin) -> Message:
    """The message, the same in each channel. `asked` is who asks for it, and why."""
    by_person = asked.kind == PERSON
    context = [
        f"{asked.by} asked for it: {asked.why}" if by_person else f"rule {incident.rule}",
        f"run {incident.run}",
        alerts_named(incident.episodes),
        f"`{explained(incident.run)}`",
    ]
    return Message(
        title=f"For all teams: {asked.by if by_person else names_of(incident) or incident.rule}"[
            :_TITLE
        ],
        text=_said(incident, text),
        context=" · ".join(filter(None, context)),
        links=links_of(incident),
    )


def announcement_page(incident: Incident, text: str, severity: str, asked: Origin) -> Page:
    """The page beside it: one incident for each run. What a person asked for, a person closes."""
    by_person = asked.kind == PERSON
    who = asked.by if by_person else f"Rule {incident.rule}"
    return Page(
        dedup_key=run_dedup_key(incident.run),
        summary=_said(incident, text)[:_SUMMARY],
        source=incident.source or SOURCE,
        severity=severity,
        details={
            "what was done": f"{who} told all teams. It changed nothing.",
            "asked for because": asked.why,
            "to stop it": _CLOSE_IT if by_person else SILENCE,
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
