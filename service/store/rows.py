"""Rows of the journal, from the records that admission collects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from service.domain.decisions.decision import Check
from service.ports.admission import (
    Delivery,
    EpisodeRecord,
    IncidentRecord,
    NewDecision,
    NewEpisode,
)
from service.store.encode import dump, dump_alert


class CheckEncoder:
    """Encodes checks; in a storm most decisions share theirs.

    They are known by what they are and not by what they say: to compare seven checks costs more
    than to encode them.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, tuple[Check, ...]]] = {}

    def __call__(self, checks: tuple[Check, ...]) -> str:
        """The checks as JSON text, encoded once."""
        known = self._known.get(id(checks))
        if known is None:
            text = dump([check.to_json() for check in checks])
            # The checks are kept too, so that no others get their id.
            known = self._known[id(checks)] = (text, checks)
        return known[0]


def delivery_row(delivery_id: str, delivery: Delivery) -> dict[str, Any]:
    """The row of a notification as it was delivered."""
    notification = delivery.notification
    return {
        "id": delivery_id,
        "source": notification.source,
        "format": notification.format.value,
        "receiver": notification.receiver,
        "group_key": notification.group_key,
        "group_labels": dump(notification.group_labels),
        "received_at": delivery.received_at,
        "alerts": len(notification.alerts),
        "truncated": notification.truncated,
        "notes": dump(notification.notes) if notification.notes else None,
        "replay": delivery.replay,
        "credential": delivery.credential or None,
        "address": delivery.address or None,
    }


def quarantine_rows(deliveries: Iterable[tuple[str, Delivery]]) -> Iterator[dict[str, Any]]:
    """The alerts of a batch that could not be understood."""
    for delivery_id, delivery in deliveries:
        for each in delivery.notification.quarantined:
            yield {
                "id": f"{delivery_id}.{each.index}",
                "delivery": delivery_id,
                "position": each.index,
                "reason": each.reason,
                "raw": each.raw,
            }


def episode_row(new: NewEpisode) -> dict[str, Any]:
    """An episode that begins."""
    alert, record = new.alert, new.record
    return {
        "id": record.id,
        "identity": new.identity,
        "newest": record.newest,
        "open": record.open,
        "source": alert.source,
        "fingerprint": alert.fingerprint,
        "name": alert.name,
        "kind": alert.kind.value,
        "body": dump_alert(alert),
        "first_seen": new.first_seen,
        "last_seen": record.last_seen,
        "resolved_at": record.resolved_at,
        "times_seen": record.seen,
        "delivery": new.delivery,
        "verdicts": dump(record.verdicts),
        "due_at": record.due_at,
        "labels_hash": record.labels_hash,
    }


def touched_row(record: EpisodeRecord) -> dict[str, Any]:
    """What a batch changed of an episode on record; `times_seen` is by how much that grows."""
    return {
        "id": record.id,
        "open": record.open,
        "last_seen": record.last_seen,
        "resolved_at": record.resolved_at,
        "verdicts": dump(record.verdicts),
        "due_at": record.due_at,
        "labels_hash": record.labels_hash,
        "times_seen": record.seen,
    }


def repeated_row(repeat: tuple[str, tuple[int, float]]) -> dict[str, Any]:
    """A decision on record that a batch only repeated; `times` is by how much that grows."""
    decision, (more, last_at) = repeat
    return {"id": decision, "last_at": last_at, "times": more}


def decision_row(new: NewDecision, rules_hash: str, encode: CheckEncoder) -> dict[str, Any]:
    """The row of a decision; its checks are encoded once for all that share them."""
    decision = new.decision
    return {
        "id": new.id,
        "alert": new.alert,
        "delivery": new.delivery,
        "stage": decision.stage.value,
        "verdict": decision.verdict.value,
        "rule": decision.rule,
        "action": decision.action,
        "target": decision.target,
        "direction": decision.direction,
        "guard": decision.guard,
        "reason": decision.reason,
        "checks": encode(decision.checks),
        "until": decision.until,
        "run": decision.run,
        "rules_hash": rules_hash,
        "decided_at": new.decided_at,
        "last_at": new.last_at,
        "times": new.times,
    }


def incident_row(incident: IncidentRecord) -> dict[str, Any]:
    """An incident that the pager does not know yet."""
    return {
        "dedup_key": incident.dedup_key,
        "rule": incident.rule,
        "severity": incident.severity,
        "source": incident.source,
        "receiver": incident.receiver,
        "group_labels": dump(incident.group_labels),
        "paged": False,
    }
