"""Whether it is calm enough to take back what alerts added: what is asked of SQL and Prometheus."""

from __future__ import annotations

from service.catalogue.registry import kind_spec
from service.domain.capacity.ledger import Entry, Value
from service.domain.decisions.decision import Check
from service.domain.decisions.decision_tree import Question, trigger_of
from service.domain.decisions.requests import Request
from service.domain.decisions.returns import (
    CALM,
    Calm,
    Load,
    Return,
    check_calm,
    check_quiet,
    next_step,
)
from service.domain.durations import clock_time
from service.domain.errors import StepFailed, VendorError
from service.engine.parts import WorkerParts
from service.messages.investigate import EXPRESSIONS, NO_PROMETHEUS
from service.ports import Metrics

_UNKNOWN_SHARE = 2.0
"""How much larger the load of the smaller size is where no price tells: most ladders double."""


def calm_of(request: Request, parts: WorkerParts, now: float) -> Check:
    """The guard of a return. Prometheus is asked only where nothing else holds it."""
    returns, target = request.policy.returns, request.target
    entry = _entry(request, parts)
    if returns is None or entry is None:
        return Check(CALM, passed=False, saw=f"nothing that alerts added to {target.name} is known")
    if closed := _closed(request, returns, now):
        return closed
    step = next_step(entry, {request.origin.by: returns})
    if step is None:
        saw = f"rule {request.origin.by} has added nothing to {target.name} that is still there"
        return Check(CALM, passed=False, saw=saw)
    alerts = [alert for each in entry.additions for alert in each.alerts]
    calm = Calm(
        target=target.name,
        since=entry.since,
        wait_s=entry.wait_s(returns.after_s),
        askers=parts.ledger.askers(target.name, alerts, now),
        pages=parts.ledger.open_pages(target.service),
        now=now,
    )
    quiet = check_quiet(calm)
    if not quiet.passed:
        return quiet
    share = _share(request, entry.value, step.to)
    return check_calm(quiet, _load(request, returns, entry.attribute, share, parts))


def _closed(request: Request, returns: Return, now: float) -> Check | None:
    """The hold of a return that takes its target down, outside of its window."""
    target, window = request.target, returns.window
    if window is None or not kind_spec(target.kind).interrupts or window.open_at(now):
        return None
    opens = window.opens_after(now)
    when = "" if opens is None else f", which opens at {clock_time(opens)}"
    saw = f"taking it back takes {target.name} down, so it waits for its window{when}"
    return Check(CALM, passed=False, saw=saw, until=opens)


def _entry(request: Request, parts: WorkerParts) -> Entry | None:
    attribute = request.wanted[0].attribute
    return next(
        (
            each
            for each in parts.ledger.entries()
            if each.target == request.target.name and each.attribute == attribute
        ),
        None,
    )


def _share(request: Request, now: Value, then: Value) -> float:
    """How much larger the load will be on what is left."""
    if isinstance(now, int) and isinstance(then, int):
        return now / then if then > 0 else _UNKNOWN_SHARE
    prices = kind_spec(request.target.kind).prices.documented
    dear, cheap = prices.get(str(now)), prices.get(str(then))
    return dear / cheap if dear and cheap else _UNKNOWN_SHARE


def _load(
    request: Request, returns: Return, attribute: str, share: float, parts: WorkerParts
) -> Load:
    """The rule's own reading; else that of the runbook's decision tree, from Prometheus or, where
    there is none, from the vendor."""
    if returns.reading and returns.below is not None:
        value, unread = _from_prometheus(returns.reading, parts.metrics)
        return Load(returns.reading, returns.below, value, share, unread)
    trigger = trigger_of(request.action)
    if trigger is None:
        unread = f"rule {request.origin.by} names none; give its `return` a `when`"
        return Load("the load", 0.0, None, share, unread)
    question, below = trigger
    value, unread = _from_prometheus(EXPRESSIONS[question], parts.metrics)
    if value is None and question is Question.CPU:
        value, unread = _from_vendor(request, attribute, parts, unread)
    return Load(f"{question} in percent", below, value, share, unread)


def _from_prometheus(expression: str, metrics: Metrics | None) -> tuple[float | None, str]:
    if metrics is None:
        return None, NO_PROMETHEUS
    try:
        value = metrics.query(expression)
    except VendorError as error:
        return None, str(error)
    return value, "" if value is not None else f"Prometheus has no data for {expression}"


def _from_vendor(
    request: Request, attribute: str, parts: WorkerParts, unread: str
) -> tuple[float | None, str]:
    """The vendor's own reading; `unread` is why Prometheus gave none."""
    target = request.target
    try:
        value = kind_spec(target.kind).load(parts.work_of(target), target, attribute)
    except (VendorError, StepFailed) as error:
        return None, f"{unread}; {error}"
    return value, "" if value is not None else f"{unread}, and the vendor shows none"
