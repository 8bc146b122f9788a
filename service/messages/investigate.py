"""investigate: one message with what is known about an alert, and what to do first.

What the runbook does with everything it has no better answer for (Alert Configuration: the
handler's default), so that no alert is met with silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from service.domain.alerts.alert import Alert, AlertKind
from service.domain.alerts.incident import Incident, links_of, names_of, without_data
from service.domain.decisions.decision_tree import Question, Reading, Recommendation, recommend
from service.domain.errors import VendorError
from service.domain.rules.rules import NO_DATA_RULE
from service.ports import Clock, Message, Metrics
from service.retry import call_with_retries

EXPRESSIONS: Mapping[Question, str] = MappingProxyType(
    {
        Question.CPU: "avg(cpu_usage)",
        Question.MEMORY: "avg(memory_usage)",
        Question.DATABASE: "min(db_connections_available)",
        Question.CACHE: (
            "100 * sum(rate(cache_hits_total[5m])) / sum(rate(cache_requests_total[5m]))"
        ),
    }
)
"""What Prometheus is asked: percent, percent, connections, percent. The metrics' names are those
of the runbook's alerts; `cache_hits_total` and `cache_requests_total` are counters that the
application exports."""

NO_PROMETHEUS = "PROMETHEUS_URL is not set"

SHOWN_ALERTS = 3
"""Alerts whose labels are spelled out; the others are counted."""

_ATTEMPTS = 2
_BUDGET_S = 10.0
"""An old reading helps nobody: the message goes out without one rather than late."""


def investigate(
    incident: Incident, known: Mapping[str, str], metrics: Metrics | None, clock: Clock
) -> Message:
    """Ask Prometheus, where there is one, and build the message.

    `known` is what runbookd itself knows (the target, its last run, …), by label.
    """
    return investigation_message(incident, known, recommend(take_readings(metrics, clock)))


def path_works(incident: Incident) -> Message:
    """What a sender's test button leads to: it shows that alerts reach Slack from this source."""
    return Message(
        title=f"Test: the path from {incident.source} works",
        text=(
            f"{incident.source} sent a test notification ({names_of(incident)}). It was received "
            "and kept, and this message shows that Slack is told. A test changes nothing and pages "
            "nobody."
        ),
        context=f"rule {incident.rule} · more tests within an hour are not told here",
    )


def take_readings(metrics: Metrics | None, clock: Clock) -> dict[Question, Reading]:
    """The answers to the tree's questions; never raises for what the vendor does."""
    return {
        question: _reading(metrics, expression, clock)
        for question, expression in EXPRESSIONS.items()
    }


def investigation_message(
    incident: Incident, known: Mapping[str, str], recommendation: Recommendation
) -> Message:
    """What is known, what was measured, and what to do first."""
    return Message(
        title=_title(incident),
        text="\n".join(_lines(incident, recommendation)),
        fields=[*_alert_fields(incident), *known.items()],
        context=_context(incident),
        links=links_of(incident),
    )


def _reading(metrics: Metrics | None, expression: str, clock: Clock) -> Reading:
    if metrics is None:
        return Reading(None, NO_PROMETHEUS)
    try:
        value = call_with_retries(
            lambda: metrics.query(expression), clock=clock, attempts=_ATTEMPTS, budget_s=_BUDGET_S
        )
    except VendorError as problem:
        return Reading(None, problem.sentence)
    return Reading(value, f"no data for {expression}" if value is None else "")


def _title(incident: Incident) -> str:
    names = names_of(incident)
    if not _unmeasured(incident):
        return f"Investigate: {names}"
    if all(alert.kind is AlertKind.DATASOURCE_ERROR for alert in incident.alerts):
        return f"Cannot be evaluated: {names}"
    return f"No data: {names}"


def _unmeasured(incident: Incident) -> bool:
    """The rule knows what arrived now; an alert is stored as its episode began."""
    return incident.rule == NO_DATA_RULE.name or without_data(incident)


def _lines(incident: Incident, recommendation: Recommendation) -> Iterator[str]:
    summaries = (_summary(alert) for alert in incident.alerts[:SHOWN_ALERTS])
    yield from dict.fromkeys(line for line in summaries if line)
    if _unmeasured(incident) or any(not alert.measured for alert in incident.alerts):
        yield (
            "The sender lost sight of its data, so whether the condition holds is not known. "
            "Nothing is changed on that; see first why there is no data."
        )
    yield f"Do first: {recommendation.advice}. Because: {recommendation.because}."
    yield from (f"• {line}" for line in recommendation.found)


def _summary(alert: Alert) -> str:
    return alert.annotations.get("summary") or alert.annotations.get("description") or ""


def _alert_fields(incident: Incident) -> Iterator[tuple[str, str]]:
    for alert in incident.alerts[:SHOWN_ALERTS]:
        yield alert.name or "Alert without a name", _pairs(alert.labels)
        if alert.annotations:
            yield "Annotations", _pairs(alert.annotations)
        if alert.values:
            yield "Values", _pairs({name: str(value) for name, value in alert.values.items()})
    left_out = incident.count - min(len(incident.alerts), SHOWN_ALERTS)
    if left_out > 0:
        yield "Besides", f"{left_out} more of the same group"


def _pairs(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in sorted(values.items())) or "none"


def _context(incident: Incident) -> str:
    alerts = "1 alert" if incident.count == 1 else f"{incident.count} alerts"
    return f"rule {incident.rule} · {alerts} from {incident.source} · nothing was changed"
