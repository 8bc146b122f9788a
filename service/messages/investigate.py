"""investigate: one message with what is known about an alert, and what to do first.

What the runbook does with everything it has no better answer for (Alert Configuration: the
handler's default), so that no alert is met with silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from service.domain.alerts.alert import Alert, AlertKind
from service.domain.alerts.incident import Incident, links_of, names_of, without_data
from service.domain.decisions.decision_tree import (
    Question,
    Reading,
    Recommendation,
    is_about_performance,
    recommend,
)
from service.domain.durations import moment
from service.domain.errors import VendorError
from service.domain.links import is_web_address
from service.domain.readings.metrics import METRICS
from service.domain.rules.rules import DEFAULT_RULE, NO_DATA_RULE
from service.messages.going_on import NOTHING_DONE, SILENCE, alerts_named, command
from service.ports import Clock, Message, Metrics
from service.retry import call_with_retries

EXPRESSIONS: Mapping[Question, str] = MappingProxyType(
    {
        Question.CPU: METRICS["cpu"].expression,
        Question.MEMORY: METRICS["memory"].expression,
        Question.DATABASE: METRICS["connections"].expression,
        Question.CACHE: METRICS["cache"].expression,
    }
)
"""What Prometheus is asked: percent, percent, connections, percent."""

NO_PROMETHEUS = "PROMETHEUS_URL is not set"

SHOWN_ALERTS = 3
"""Alerts whose labels are spelled out; the others are counted."""

_ATTEMPTS = 2
_BUDGET_S = 10.0
"""An old reading helps nobody: the message goes out without one rather than late."""


def investigate(
    incident: Incident,
    known: Mapping[str, str],
    metrics: Metrics | None,
    clock: Clock,
    quiet_s: float = 0.0,
) -> Message:
    """Ask Prometheus, where there is one that can explain the alert, and build the message.

    `known` is what runbookd itself knows (the target, its last run, …), by label. `quiet_s` is for
    how many seconds the same is not told again.
    """
    told_again = moment(clock.time() + quiet_s, clock.time()) if quiet_s else ""
    return investigation_message(incident, known, _measured(incident, metrics, clock), told_again)


def _measured(
    incident: Incident, metrics: Metrics | None, clock: Clock
) -> Recommendation | str | None:
    """The tree's answer; why there is none; or None for an alert that the tree knows nothing of."""
    if not any(is_about_performance(alert.name) for alert in incident.alerts):
        return None
    if metrics is None:
        return f"{', '.join(Question)}: not measured, because {NO_PROMETHEUS}."
    return recommend(take_readings(metrics, clock))


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
        links=links_of(incident),
    )


def take_readings(metrics: Metrics, clock: Clock) -> dict[Question, Reading]:
    """The answers to the tree's questions; never raises for what the vendor does."""
    return {
        question: _reading(metrics, expression, clock)
        for question, expression in EXPRESSIONS.items()
    }


def investigation_message(
    incident: Incident,
    known: Mapping[str, str],
    measured: Recommendation | str | None,
    told_again: str = "",
) -> Message:
    """What is known, what was measured, and what to do next.

    `measured` is what the decision tree says, a sentence where it was not asked, or None where it
    has nothing to say about such an alert.
    """
    return Message(
        title=_title(incident),
        text="\n".join([*_lines(incident), *_findings(measured), *_next(incident, told_again)]),
        fields=[*_alert_fields(incident), *known.items()],
        context=_context(incident),
        links=links_of(incident),
    )


def _reading(metrics: Metrics, expression: str, clock: Clock) -> Reading:
    try:
        value = call_with_retries(
            lambda: metrics.query(expression), clock=clock, attempts=_ATTEMPTS, budget_s=_BUDGET_S
        )
    except VendorError as problem:
        return Reading(None, problem.sentence)
    return Reading(value, f"Prometheus has no data for {expression}." if value is None else "")


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


def _lines(incident: Incident) -> Iterator[str]:
    summaries = (_summary(alert) for alert in incident.alerts[:SHOWN_ALERTS])
    yield from dict.fromkeys(line for line in summaries if line)
    if _unmeasured(incident) or any(not alert.measured for alert in incident.alerts):
        yield (
            "The sender lost sight of its data, so whether the condition holds is not known. "
            "Nothing is changed on that; see first why there is no data."
        )
    elif incident.rule == DEFAULT_RULE.name:
        yield "No rule matches it, so nothing was changed."
    else:
        yield f"Rule {incident.rule} only tells of it, so nothing was changed."


def _findings(measured: Recommendation | str | None) -> Iterator[str]:
    if measured is None:
        return
    if isinstance(measured, str):
        yield measured
        return
    if measured.advice is not None:
        yield f"Do first: {measured.advice}. Because: {measured.because}."
    else:
        yield f"{measured.because}. Look at these by hand."
    yield from (f"• {line}" for line in measured.found)


def _next(incident: Incident, told_again: str) -> Iterator[str]:
    if any(is_web_address(alert.annotations.get(_RUNBOOK, "")) for alert in incident.alerts):
        yield "Begin with its own runbook: the link is below."
    if incident.rule == DEFAULT_RULE.name:
        yield (
            "So that it is acted on, write a rule for it and try it with `runbookd check`. So that "
            "it is not told again, silence it at its sender, or give it a rule with action ignore."
        )
    else:
        yield SILENCE
    yield NOTHING_DONE
    if incident.run:
        yield f"See how it was decided: {command(incident.run)}."
    if told_again:
        yield f"It is told again {told_again}, at the earliest, if it still fires."


_RUNBOOK = "runbook_url"


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
    parts = [
        f"rule {incident.rule}",
        f"{alerts} from {incident.source}",
        f"run {incident.run}" if incident.run else "",
        alerts_named(incident.episodes),
    ]
    return " · ".join(filter(None, parts))
