"""What a scaling run tells people: its message, the edits of it, its pages, its change event.

Pure texts. Whatever a vendor may not show literally is the provider's to escape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.domain.alerts.dedup import blocked_dedup_key, bound_dedup_key, run_dedup_key
from service.domain.decisions.claims import clock_time
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.ports import Message, Page

SOURCE = "runbookd"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run failed: the step that gave up, its sentence, and how the target was left.

    `wrote` is False where no write of the run can have taken effect.
    """

    step: str
    sentence: str
    left: str
    wrote: bool = True


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """The arguments of `Pager.change`."""

    summary: str
    source: str
    details: Mapping[str, Any]


def announced(request: Request, plan: Plan) -> Message:
    """Posted before the first write: what will change, why, what it costs and takes down."""
    return Message(
        title=f"{request.target.name}: {plan.what} {plan.before} → {plan.after}",
        text=f"Scaling because {_why(request)}. {plan.downtime}".rstrip(),
        fields=_fields(request, plan),
        context=_context(request),
    )


def finished(
    request: Request, plan: Plan, took_s: float, cooldown_until: float | None = None
) -> Message:
    """What the announcement is edited to when the change is verified.

    `took_s` is in seconds, `cooldown_until` in seconds since the epoch.
    """
    next_step = f" No further step before {clock_time(cooldown_until)}." if cooldown_until else ""
    return Message(
        title=f"Done: {request.target.name}: {plan.what} {plan.before} → {plan.after}",
        text=f"Scaled because {_why(request)}. Verified after {duration(took_s)}.{next_step}",
        fields=_fields(request, plan),
        context=_context(request),
    )


def held(request: Request, hold: PlanHeld, until: float | None = None) -> Message:
    """Posted when the worker, having seen the target, changes nothing."""
    again = f" Looked at again at {clock_time(until)}." if until else ""
    return Message(
        title=f"Held: {request.action} of {request.target.name}",
        text=f"Asked for because {_why(request)}. {hold.reason}{again}",
        fields=[("Guard", hold.guard), ("Rule", request.origin.by)],
        context=_context(request),
    )


def put_off(request: Request, plan: Plan, hold: PlanHeld, until: float | None) -> Message:
    """What the announcement is edited to when nothing was written and it is tried again later."""
    again = f" Planned anew at {clock_time(until)}." if until else ""
    return Message(
        title=f"Put off: {_attempt(request, plan)}",
        text=f"Asked for because {_why(request)}. {hold.reason}{again}",
        fields=[("Guard", hold.guard), *_fields(request, plan)],
        context=_context(request),
    )


def failed(request: Request, plan: Plan | None, failure: Failure, *, paged: bool = True) -> Message:
    """What the announcement is edited to when the run gave up; `paged` when someone knows."""
    told = (
        "The person on call was paged."
        if paged
        else "The pager could not be reached: nobody was paged yet. It is tried "
        "again every minute; look at this now."
    )
    return Message(
        title=f"Failed: {_attempt(request, plan)}",
        text=f"{failure.sentence}\n{failure.left}\n{told}",
        fields=[("Step", failure.step), *_fields(request, plan)],
        context=_context(request),
    )


def page_for_failure(request: Request, plan: Plan | None, failure: Failure) -> Page:
    """The page of a failed run: what was tried, and how the target was left.

    Where nothing was written it is a warning, and one incident for the target and direction,
    however often it is tried.
    """
    return Page(
        dedup_key=run_dedup_key(request.id)
        if failure.wrote
        else blocked_dedup_key(*_work(request)),
        summary=f"{_attempt(request, plan)} failed in {failure.step}. {failure.left}",
        source=SOURCE,
        severity="critical" if failure.wrote else "warning",
        component=request.target.name,
        group=request.target.resource,
        details={
            "what happened": failure.sentence,
            "how the target was left": failure.left,
            "asked for because": request.origin.why,
            **_facts(request, plan),
        },
    )


def page_at_bound(request: Request, hold: PlanHeld) -> Page:
    """The page of a target that can grow no further, while more is asked of it."""
    return Page(
        dedup_key=bound_dedup_key(*_work(request)),
        summary=f"{request.target.name} can grow no further: {hold.reason}",
        source=SOURCE,
        severity="critical",
        component=request.target.name,
        group=request.target.resource,
        details={
            "guard": hold.guard,
            "asked for because": request.origin.why,
            **hold.facts,
            **_facts(request, None),
        },
    )


def page_for_hold(request: Request, plan: Plan | None, hold: PlanHeld) -> Page:
    """The page of a target that nothing can be done for now: a warning, for nothing was changed."""
    failure = Failure(hold.guard, hold.reason, "Nothing was changed.", wrote=False)
    page = page_for_failure(request, plan, failure)
    return replace(page, summary=f"{_attempt(request, plan)} cannot be done now: {hold.reason}")


def page_for_resolve(request: Request, dedup_key: str) -> Page:
    """What stands for an incident that is over while its resolve waits for the pager."""
    return Page(
        dedup_key=dedup_key,
        summary=f"{request.target.name}: run {request.id} succeeded",
        source=SOURCE,
        severity="info",
        component=request.target.name,
    )


def change_event(request: Request, plan: Plan) -> ChangeEvent:
    """What the pager shows beside incidents once the change is verified; it wakes nobody."""
    return ChangeEvent(
        summary=f"{_attempt(request, plan)} ({request.origin.why})",
        source=SOURCE,
        details=_facts(request, plan),
    )


def duration(seconds: float) -> str:
    """Seconds as a person reads them: `48 s`, `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def price_change(plan: Plan) -> str:
    """What the change costs a month: `$40 → $60 a month (+$20)`."""
    before, after = plan.price_before, plan.price_after
    if before is None or after is None:
        return "not known"
    sign = "-" if after < before else "+"
    return f"${before:,.10g} → ${after:,.10g} a month ({sign}${abs(after - before):,.10g})"


def _work(request: Request) -> tuple[str, str]:
    return request.target.name, request.direction


def _why(request: Request) -> str:
    return request.origin.why.rstrip(" .")


def _fields(request: Request, plan: Plan | None) -> list[tuple[str, str]]:
    fields = [("Rule", request.origin.by), ("Action", request.action)]
    return fields if plan is None else [*fields, ("Price", price_change(plan))]


def _context(request: Request) -> str:
    replay = " · a replay" if request.origin.replayed else ""
    alerts = (
        "1 alert" if len(request.origin.alerts) == 1 else f"{len(request.origin.alerts)} alerts"
    )
    return f"run {request.id} · {alerts} · rules {request.rules_hash}{replay}"


def _attempt(request: Request, plan: Plan | None) -> str:
    if plan is None:
        return f"{request.action} of {request.target.name}"
    return f"{request.target.name}: {plan.what} {plan.before} → {plan.after}"


def _facts(request: Request, plan: Plan | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "run": request.id,
        "rule": request.origin.by,
        "action": request.action,
        "target": request.target.name,
        "resource": request.target.resource,
        "alerts": list(request.origin.alerts),
        "rules": request.rules_hash,
    }
    if request.origin.replayed:
        facts["replay"] = True
    if plan is None:
        return facts
    return {
        **facts,
        "what": plan.what,
        "before": plan.before,
        "after": plan.after,
        "price": price_change(plan),
    }
