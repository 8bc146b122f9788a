"""Alerts, notifications and deliveries as the intake makes them, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.droplet.target import DropletTarget
from service.domain.alerts.alert import (
    Alert,
    AlertKind,
    AlertStatus,
    Notification,
    PayloadFormat,
    Quarantined,
)
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.domain.rules.scopes import UNSTATED, Scopes
from service.ports.admission import Delivery
from service.triggers.alerts.candidates import RulesInForce

NOW = 1_780_000_000.0
CPU, TRAFFIC, MEMORY = "High CPU Usage", "Request Rate", "High Memory Usage"
ERRORS, SLOW, OTHER = "High Error Rate", "Slow Response Time", "Something Else"
WATCHDOG = "Watchdog"
COOLDOWN_S, MEMORY_COOLDOWN_S, SLOW_COOLDOWN_S = 600.0, 1800.0, 3600.0
GRACE_S = 120.0


def alert(name: str = CPU, instance: str = "a", *, firing: bool = True, **facts: Any) -> Alert:
    """An alert named `name` of one instance."""
    values: dict[str, Any] = {
        "source": "alertmanager",
        "fingerprint": f"{name}/{instance}",
        "status": AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        "name": name,
        "kind": AlertKind.CONDITION,
        "labels": {"alertname": name, "instance": instance},
    }
    return Alert(**{**values, **facts})


def resolved(name: str = CPU, instance: str = "a", **facts: Any) -> Alert:
    """The end of `alert(name, instance)`."""
    return alert(name, instance, firing=False, **facts)


def notification(
    *alerts: Alert,
    group: Mapping[str, str] | None = None,
    receiver: str = "runbookd",
    quarantined: Sequence[Quarantined] = (),
    **facts: Any,
) -> Notification:
    """A notification of one group; by default the alerts' name makes it."""
    labels = group if group is not None else {"alertname": alerts[0].name if alerts else ""}
    values: dict[str, Any] = {
        "source": alerts[0].source if alerts else "alertmanager",
        "format": PayloadFormat.ALERTMANAGER,
        "receiver": receiver,
        "group_key": "{}:{}",
        "group_labels": labels,
        "external_url": "http://alertmanager.example",
        "truncated": 0,
        "alerts": alerts,
        "quarantined": tuple(quarantined),
    }
    return Notification(**{**values, **facts})


def delivery(
    *alerts: Alert,
    at: float = NOW,
    replay: bool = False,
    credential: str = "",
    address: str = "",
    **facts: Any,
) -> Delivery:
    """One delivery of `notification(*alerts)`."""
    return Delivery(
        notification(*alerts, **facts), at, replay, credential=credential, address=address
    )


def rule_book(scopes: Scopes = UNSTATED) -> RuleBook:
    """Two rules for one claim, one for another, and one each that pages, tells and ignores."""
    return RuleBook(
        rules=(
            _rule("high-cpu", CPU, "horizontal_scale", "api", COOLDOWN_S),
            _rule("traffic", TRAFFIC, "horizontal_scale", "api", COOLDOWN_S),
            _rule("memory", MEMORY, "vertical_scale", "worker-vm", MEMORY_COOLDOWN_S),
            _rule("errors", ERRORS, "page_oncall", None, 0.0),
            _rule("slow", SLOW, "investigate", None, SLOW_COOLDOWN_S),
            _rule("watchdog", WATCHDOG, "ignore", None, 0.0),
        ),
        targets={
            "api": AppTarget("api", "app-1", "api", 2, 10),
            "worker-vm": DropletTarget("worker-vm", "101", ("s-1vcpu-1gb", "s-1vcpu-2gb")),
        },
        hash="0123456789ab",
        scopes=scopes,
    )


def rules_in_force(scopes: Scopes = UNSTATED) -> RulesInForce:
    """The book with its index."""
    book = rule_book(scopes)
    return RulesInForce(book, RuleIndex(book))


def _rule(name: str, alertname: str, action: str, target: str | None, cooldown_s: float) -> Rule:
    matcher = Matcher("alertname", MatchOp.EQUAL, alertname)
    return Rule(name, (matcher,), action, target, timedelta(seconds=cooldown_s))
