"""PagerDuty's state: incidents by deduplication key, and change events."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.sandbox.core.clock import iso_millis
from service.sandbox.core.wire import Json

_COPIED = ("source", "severity", "component", "group", "class", "custom_details", "timestamp")


@dataclass(slots=True)
class Incident:
    """An incident, open or resolved. `count` is how many triggers it has had."""

    routing_key: str
    dedup_key: str
    opened_at: float
    event: Json
    status: str = "triggered"
    count: int = 1
    changed_at: float = 0.0


@dataclass(slots=True)
class Pager:
    """All incidents and change events.

    A key is the routing key with the deduplication key.
    """

    open: dict[tuple[str, str], Incident] = field(default_factory=dict)
    resolved: list[Incident] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)

    def trigger(self, key: tuple[str, str], event: Json, now: float) -> None:
        """Open an incident, or add to the one that is open under this key."""
        if incident := self.open.get(key):
            incident.count += 1
            incident.event = event
        else:
            incident = self.open[key] = Incident(*key, opened_at=now, event=event)
        incident.changed_at = now

    def acknowledge(self, key: tuple[str, str], now: float) -> None:
        """Acknowledge an open incident. Without one, the event is dropped."""
        if incident := self.open.get(key):
            incident.status, incident.changed_at = "acknowledged", now

    def resolve(self, key: tuple[str, str], now: float) -> None:
        """Resolve an open incident. Without one, the event is dropped."""
        if incident := self.open.pop(key, None):
            incident.status, incident.changed_at = "resolved", now
            self.resolved.append(incident)


def incident_json(incident: Incident) -> Json:
    """An incident for `GET /_sandbox/state`, with the fields of its latest trigger."""
    payload = incident.event["payload"]
    return {
        "dedup_key": incident.dedup_key,
        "status": incident.status,
        "count": incident.count,
        "summary": payload["summary"],
        **{name: payload.get(name) for name in _COPIED},
        "links": incident.event.get("links") or [],
        "images": incident.event.get("images") or [],
        "client": incident.event.get("client"),
        "client_url": incident.event.get("client_url"),
        "opened_at": iso_millis(incident.opened_at),
        "changed_at": iso_millis(incident.changed_at),
    }
