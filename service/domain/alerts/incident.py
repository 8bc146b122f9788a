"""What people are told about: the alerts of one group that one rule matched.

One value for a page and for a message, so that both tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.domain.alerts.alert import Alert

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


def links_of(incident: Incident, most: int = 10) -> list[tuple[str, str]]:
    """(href, text) pairs to where one reads on; only http and https, each address once."""
    found: dict[str, str] = {}
    for alert in incident.alerts:
        _add(found, alert.generator_url, f"{alert.name or 'alert'}: where it comes from")
        for name, value in sorted(alert.links.items()):
            _add(found, value, f"{alert.name or 'alert'}: {name}")
        for name, value in sorted(alert.annotations.items()):
            if name.endswith("url"):
                _add(found, value, f"{alert.name or 'alert'}: {name}")
    _add(found, incident.external_url, f"{incident.source}: the sender")
    return list(found.items())[:most]


def _labelled(incident: Incident) -> list[str]:
    return [alert.labels["severity"] for alert in incident.alerts if "severity" in alert.labels]


def _add(found: dict[str, str], href: str, text: str) -> None:
    if _is_web_address(href):
        found.setdefault(href, text)


def _is_web_address(text: str) -> bool:
    """An alert is written by whoever can reach its sender: no other scheme becomes a link."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
