"""What people are told about: the alerts of one group that one rule matched.

One value for a page and for a message, so that both tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.alerts.alert import Alert
from service.domain.links import Link, shown_links

SEVERITIES = ("critical", "error", "warning", "info")
"""The pager's words (PagerDuty Events v2), worst first."""

UNKNOWN_SEVERITY = "error"
"""For alerts whose labels say nothing we know. A rule asked for a page, so somebody must look;
`error` is urgent at the pager without claiming the worst."""

_WORDS = {
    "critical": "critical",
    "error": "error",
    "high": "error",
    "major": "error",
    "warning": "warning",
    "medium": "warning",
    "info": "info",
    "low": "info",
    "none": "info",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """The alerts of one group under one rule.

    `key` is its identity: the dedup_key of a page, the claim of a message. `alerts` are those
    that still fire, oldest first, or the first of them; `count` is how many there are. `severity`
    is what the rule overrides the alerts' own with. `external_url` is the sender's own address.
    `run` is the run that tells of it, `episodes` are the ids of its alerts, `links` those that came
    with the request; empty where nothing could be stored.
    """

    key: str
    source: str
    rule: str
    receiver: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    count: int
    severity: str | None = None
    external_url: str = ""
    run: str = ""
    episodes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def severity_of(incident: Incident) -> str:
    """The rule's severity, else the worst among the alerts' labels, in the pager's words."""
    said = [incident.severity] if incident.severity else _labelled(incident)
    known = [word for one in said if (word := _WORDS.get(one.strip().lower()))]
    return min(known, key=SEVERITIES.index, default=UNKNOWN_SEVERITY)


def names_of(incident: Incident, most: int = 3) -> str:
    """The first few alerts by name, and how many more there are."""
    names = list(
        dict.fromkeys(alert.name or "an alert without a name" for alert in incident.alerts)
    )
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def without_data(incident: Incident) -> bool:
    """Whether none of its alerts was measured."""
    return bool(incident.alerts) and not any(alert.measured for alert in incident.alerts)


def links_of(incident: Incident) -> tuple[Link, ...]:
    """To where one reads on: what its alerts name, and what came with the request."""
    named = (link for alert in incident.alerts for link in links_in(alert))
    sender = (incident.external_url, f"{incident.source}: the sender")
    return shown_links([*named, *incident.links, sender])


def links_in(alert: Alert) -> list[Link]:
    """Everything that an alert names as an address; not all of it may be shown as a link."""
    name = alert.name or "alert"
    found = [(alert.generator_url, f"{name}: where it comes from")]
    found += [(value, f"{name}: {what}") for what, value in sorted(alert.links.items())]
    annotations = sorted(alert.annotations.items())
    found += [(value, f"{name}: {what}") for what, value in annotations if what.endswith("url")]
    return found


def _labelled(incident: Incident) -> list[str]:
    return [alert.labels["severity"] for alert in incident.alerts if "severity" in alert.labels]
