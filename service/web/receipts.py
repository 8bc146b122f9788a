"""Tells what became of a notification: to its sender as JSON, and to dashboards as counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache

import structlog
from pydantic_core import to_json

from service import telemetry
from service.domain.alerts.alert import AlertStatus, Notification, Quarantined
from service.domain.decisions.decision import Decision, Verdict
from service.domain.decisions.decision_json import decision_json
from service.ports.admission import Receipt, Verdicted

_SLICE = 256
"""Quarantined alerts that are serialised in one call."""

_LOGGED = 3
"""The most reasons, and the most runs, of one notification that the log shows."""

_FIRING, _RESOLVED = AlertStatus.FIRING.value, AlertStatus.RESOLVED.value

# The library checks the labels and takes a lock whenever it is asked for a counter by them.
_alerts = lru_cache(maxsize=64)(telemetry.ALERTS.labels)
_decisions = lru_cache(maxsize=4096)(telemetry.DECISIONS.labels)

_log = structlog.get_logger(__name__)


def receipt_body(receipt: Receipt) -> bytes:
    """The answer to the sender as JSON: each decision, and each alert that was quarantined.

    It is made in pieces. One call for a hundred thousand decisions would hold the interpreter's
    lock for a tenth of a second, and all other requests with it.
    """
    return b"".join(
        (
            b'{"notification":',
            to_json(receipt.delivery),
            b',"decisions":[',
            b",".join(_verdicts_json(receipt.verdicts)),
            b'],"quarantined":[',
            b",".join(_quarantined_json(receipt.quarantined)),
            b"]}",
        )
    )


def _verdicts_json(verdicts: Sequence[Verdicted]) -> Iterator[bytes]:
    """Each alert with its decision; one that several alerts share is serialised once."""
    made: dict[int, bytes] = {}
    for each in verdicts:
        text = made.get(id(each.decision))
        if text is None:
            # Without its opening brace: the alert comes first.
            text = to_json(decision_json(each.decision, checks=False))[1:]
            made[id(each.decision)] = text
        yield b'{"alert":%b,%b' % (to_json(each.alert), text)


def _quarantined_json(quarantined: Sequence[Quarantined]) -> Iterator[bytes]:
    for start in range(0, len(quarantined), _SLICE):
        some = quarantined[start : start + _SLICE]
        yield to_json([{"index": each.index, "reason": each.reason} for each in some])[1:-1]


def count(notification: Notification, receipt: Receipt) -> None:
    """Count one notification in the metrics, and log which of its alerts could not be read.

    Equal labels are summed up first, because a notification may have ten thousand alerts.
    """
    source, alerts = notification.source, notification.alerts
    firing = len([None for alert in alerts if alert.firing])
    for status, times in ((_FIRING, firing), (_RESOLVED, len(alerts) - firing)):
        if times:
            _alerts(source, status).inc(times)
    for decision, times in _with_times(receipt.verdicts):
        verdict = decision.verdict.value
        _decisions(decision.rule, decision.action, verdict, decision.guard).inc(times)
    for run, alert in _asked_for(receipt):
        _log.info(
            "run_asked_for", source=source, notification=receipt.delivery, alert=alert, run=run
        )
    if receipt.quarantined:
        telemetry.QUARANTINED.labels(source).inc(len(receipt.quarantined))
        _log.warning(
            "alerts_not_read",
            source=source,
            notification=receipt.delivery,
            count=len(receipt.quarantined),
            reasons=[each.reason for each in receipt.quarantined[:_LOGGED]],
        )


def _asked_for(receipt: Receipt) -> Iterator[tuple[str, str]]:
    """Each run that the notification began, with the first alert that asked for it. What is held,
    as nearly all is in a storm, is not logged."""
    began: dict[str, str] = {}
    for each in receipt.verdicts:
        if each.decision.verdict is Verdict.ACT and each.decision.run:
            began.setdefault(each.decision.run, each.alert)
    yield from itertools.islice(began.items(), _LOGGED)


def _with_times(verdicts: Sequence[Verdicted]) -> Iterator[tuple[Decision, int]]:
    """Each decision, with how many of the alerts share it."""
    decisions: dict[int, Decision] = {}
    times: dict[int, int] = {}
    for each in verdicts:
        key = id(each.decision)
        decisions[key] = each.decision
        times[key] = times.get(key, 0) + 1
    return zip(decisions.values(), times.values(), strict=True)
