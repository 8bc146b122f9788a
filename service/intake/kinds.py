"""What an alert may lead to, and the name of the rule it is really about.

Grafana reports its own troubles through alerts: it replaces the alertname when a rule has no
data or fails, or keeps the alertname and gives the reason in an annotation. No data must never
scale anything, so both are told apart from a condition that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.alerts.alert import AlertKind, AlertStatus

STATE_REASON = "grafana_state_reason"
"""Grafana's annotation for a state that an evaluation did not give by itself."""

_STAND_INS = {
    "DatasourceNoData": AlertKind.NO_DATA,
    "DatasourceError": AlertKind.DATASOURCE_ERROR,
}
_UNMEASURED = frozenset({"NoData", "MissingSeries", "KeepLast"})


def name_of(labels: Mapping[str, str]) -> str:
    """The rule's name: the alertname, or the label `rulename` where Grafana replaced it."""
    name = labels.get("alertname", "")
    return labels.get("rulename") or name if name in _STAND_INS else name


def kind_of(
    labels: Mapping[str, str], annotations: Mapping[str, str], status: AlertStatus
) -> AlertKind:
    """What the alert may lead to (wire contract, Grafana unified alerting).

    A firing alert whose state reason is NoData, MissingSeries or KeepLast fires without having
    been measured, and with Error could not be evaluated. On a resolved alert the reason only
    says why it ended; it stays the condition that it was, so that its episode is closed.
    """
    name = labels.get("alertname")
    if name in _STAND_INS:
        return _STAND_INS[name]
    if name == "TestAlert" and labels.get("instance") == "Grafana":
        return AlertKind.TEST
    if STATE_REASON in annotations and status is AlertStatus.FIRING:
        return _kind_by_reason(reasons_of(annotations))
    return AlertKind.CONDITION


def reasons_of(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The state reasons in the order given; Grafana joins several with a comma."""
    parts = annotations.get(STATE_REASON, "").split(",")
    return tuple(part for part in (raw.strip() for raw in parts) if part)


def _kind_by_reason(reasons: tuple[str, ...]) -> AlertKind:
    if "Error" in reasons:
        return AlertKind.DATASOURCE_ERROR
    return AlertKind.NO_DATA if _UNMEASURED.intersection(reasons) else AlertKind.CONDITION
