"""What became of a notification: for its sender as JSON, for dashboards as counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic_core import to_json

from service import telemetry
from service.domain.alerts.alert import Notification
from service.domain.decisions.decision_json import decision_json
from service.ports.admission import Receipt, Verdicted

_SLICE = 256
"""Decisions that are written in one call."""


def receipt_body(receipt: Receipt) -> bytes:
    """What the sender is told, as JSON: each decision, and what was set aside.

    Written in slices: one call for a hundred thousand decisions would hold the interpreter's lock,
    and with it all other requests, for a tenth of a second.
    """
    verdicts = receipt.verdicts
    slices = (
        to_json([_decision_json(each) for each in verdicts[start : start + _SLICE]])[1:-1]
        for start in range(0, len(verdicts), _SLICE)
    )
    quarantined = [{"index": each.index, "reason": each.reason} for each in receipt.quarantined]
    return b"".join(
        (
            b'{"notification":',
            to_json(receipt.delivery),
            b',"decisions":[',
            b",".join(slices),
            b'],"quarantined":',
            to_json(quarantined),
            b"}",
        )
    )


def _decision_json(verdicted: Verdicted) -> dict[str, Any]:
    return {"alert": verdicted.alert, **decision_json(verdicted.decision, checks=False)}


def count(notification: Notification, receipt: Receipt) -> None:
    """Metrics of one notification; summed up first, for a group may be ten thousand alerts."""
    source = notification.source
    for status, alerts in Counter(alert.status for alert in notification.alerts).items():
        telemetry.ALERTS.labels(source, status.value).inc(alerts)
    kinds = Counter(
        (each.decision.rule, each.decision.action, each.decision.verdict, each.decision.guard)
        for each in receipt.verdicts
    )
    for (rule, action, verdict, guard), times in kinds.items():
        telemetry.DECISIONS.labels(rule, action, verdict.value, guard).inc(times)
    if receipt.quarantined:
        telemetry.QUARANTINED.labels(source).inc(len(receipt.quarantined))
