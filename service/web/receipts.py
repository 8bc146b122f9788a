"""Tells what became of a notification: to its sender as JSON, and to dashboards as counts."""

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
"""Decisions, or quarantined alerts, that are serialised in one call."""

_LOGGED = 3
"""The most reasons of one notification that the log shows."""

_Item = TypeVar("_Item")
_log = structlog.get_logger(__name__)


def receipt_body(receipt: Receipt) -> bytes:
    """The answer to the sender as JSON: each decision, and each alert that was quarantined.

    It is made in slices. One call for a hundred thousand decisions would hold the interpreter's
    lock for a tenth of a second, and all other requests with it.
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
    """Count one notification in the metrics, and log which of its alerts could not be read.

    Equal labels are summed up first, because a notification may have ten thousand alerts.
    """
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
