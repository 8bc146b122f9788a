"""What the rules page for in a notification that could not be kept: computed without any store."""

from __future__ import annotations

from service.domain.alerts.alert import Alert
from service.domain.alerts.incident import Incident
from service.domain.rules.rules import Rule
from service.messages.last_resort import without_store
from service.messages.page_oncall import page_for
from service.ports import Page
from service.ports.admission import Delivery
from service.triggers.alerts.candidates import RulesInForce, match_delivery


def pages_of(delivery: Delivery, rules: RulesInForce) -> list[Page]:
    """A page for each incident that fires; its key is the one that a worker would use."""
    firing: dict[str, tuple[Rule, list[Alert]]] = {}
    for matched in match_delivery(delivery, rules):
        if not matched.alert.firing:
            continue
        for candidate in matched.candidates:
            if candidate.incident is not None and not candidate.refused:
                firing.setdefault(candidate.incident, (candidate.rule, []))[1].append(matched.alert)
    return [
        without_store(page_for(_incident(key, rule, alerts, delivery)))
        for key, (rule, alerts) in firing.items()
    ]


def _incident(key: str, rule: Rule, alerts: list[Alert], delivery: Delivery) -> Incident:
    notification = delivery.notification
    return Incident(
        key=key,
        source=notification.source,
        rule=rule.name,
        receiver=notification.receiver,
        group_labels=notification.group_labels,
        alerts=tuple(alerts),
        count=len(alerts),
        severity=rule.severity,
        external_url=notification.external_url,
    )
