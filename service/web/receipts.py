"""What became of a notification: for its sender as JSON, for dashboards as counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from pydantic_core import to_json

from service import telemetry
from service.domain.alerts.alert import Notification, Quarantined
from service.domain.decisions.decision_json import decision_json
from service.ports.admission import Receipt, Verdicted

_SLICE = 256
"""Decisions, or quarantined alerts, that are written in one call."""

_LOGGED = 3
"""Reasons of one notification that the log shows."""

_Item = TypeVar("_Item")
_log = structlog.get_logger(__name__)


def receipt_body(receipt: Receipt) -> bytes:
    """What the sender is told, as JSON: each decision, and what was set aside.

    Written in slices: one call for a hundred thousand decisions would hold the interpreter's lock,
    and with it all other requests, for a tenth of a second.
    """
    return b"".join(
        (
            b'{"notification":',
            to_json(receipt.delivery),
            b',"decisions":[',
            _in_slices(receipt.verdicts, _decision_json),
            b'],"quarantined":[',
            _in_slices(receipt.quarantined, _quarantined_json),
            b"]}",
        )
    )


def _in_slices(items: Sequence[_Item], json_of: Callable[[_Item], dict[str, Any]]) -> bytes:
    return b",".join(
        to_json([json_of(each) for each in items[start : start + _SLICE]])[1:-1]
        for start in range(0, len(items), _SLICE)
    )


def _quarantined_json(quarantined: Quarantined) -> dict[str, Any]:
    return {"index": quarantined.index, "reason": quarantined.reason}


def _decision_json(verdicted: Verdicted) -> dict[str, Any]:
    return {"alert": verdicted.alert, **decision_json(verdicted.decision, checks=False)}


def count(notification: Notification, receipt: Receipt) -> None:
    """Metrics of one notification; summed up first, for a group may be ten thousand alerts. The log
    says which alerts could not be read."""
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
        _log.warning(
            "alerts_not_read",
            source=source,
            notification=receipt.delivery,
            count=len(receipt.quarantined),
            reasons=[each.reason for each in receipt.quarantined[:_LOGGED]],
        )
