"""What a scaling run tells people: its message, the edits of it, its pages, its change event.

Pure texts. Whatever a vendor may not show literally is the provider's to escape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.domain.alerts.dedup import blocked_dedup_key, bound_dedup_key, run_dedup_key
from service.domain.decisions.claims import clock_time
from service.domain.decisions.planning import Ask, Plan, PlanHeld
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


def announced(ask: Ask, plan: Plan) -> Message:
    """Posted before the first write: what will change, why, what it costs and takes down."""
    return Message(
        title=f"{ask.target.name}: {plan.what} {plan.before} → {plan.after}",
        text=f"Scaling because {_why(ask)}. {plan.downtime}".rstrip(),
        fields=_fields(ask, plan),
        context=_context(ask),
    )


def finished(ask: Ask, plan: Plan, took_s: float, rests_until: float | None = None) -> Message:
    """What the announcement is edited to when the change is verified.

    `took_s` is in seconds, `rests_until` in seconds since the epoch.
    """
    rest = f" No further step before {clock_time(rests_until)}." if rests_until else ""
    return Message(
        title=f"Done: {ask.target.name}: {plan.what} {plan.before} → {plan.after}",
        text=f"Scaled because {_why(ask)}. Verified after {duration(took_s)}.{rest}",
        fields=_fields(ask, plan),
        context=_context(ask),
    )


def held(ask: Ask, hold: PlanHeld, until: float | None = None) -> Message:
    """Posted when the worker, having seen the target, changes nothing."""
    again = f" Looked at again at {clock_time(until)}." if until else ""
    return Message(
        title=f"Held: {ask.action} of {ask.target.name}",
        text=f"Asked for because {_why(ask)}. {hold.reason}{again}",
        fields=[("Guard", hold.guard), ("Rule", ask.rule)],
        context=_context(ask),
    )


def put_off(ask: Ask, plan: Plan, hold: PlanHeld, until: float | None) -> Message:
    """What the announcement is edited to when nothing was written and it is tried again later."""
    again = f" Planned anew at {clock_time(until)}." if until else ""
    return Message(
        title=f"Put off: {_attempt(ask, plan)}",
        text=f"Asked for because {_why(ask)}. {hold.reason}{again}",
        fields=[("Guard", hold.guard), *_fields(ask, plan)],
        context=_context(ask),
    )


def failed(ask: Ask, plan: Plan | None, failure: Failure, *, paged: bool = True) -> Message:
    """What the announcement is edited to when the run gave up; `paged` when someone knows."""
    told = (
        "The person on call was paged."
        if paged
        else "The pager could not be reached: nobody was paged yet. It is tried "
        "again every minute; look at this now."
    )
    return Message(
        title=f"Failed: {_attempt(ask, plan)}",
        text=f"{failure.sentence}\n{failure.left}\n{told}",
        fields=[("Step", failure.step), *_fields(ask, plan)],
        context=_context(ask),
    )


def page_for_failure(ask: Ask, plan: Plan | None, failure: Failure) -> Page:
    """The page of a failed run: what was tried, and how the target was left.

    Where nothing was written it is a warning, and one incident for the target and direction,
    however often it is tried.
    """
    return Page(
        dedup_key=run_dedup_key(ask.run_id) if failure.wrote else blocked_dedup_key(*_work(ask)),
        summary=f"{_attempt(ask, plan)} failed in {failure.step}. {failure.left}",
        source=SOURCE,
        severity="critical" if failure.wrote else "warning",
        component=ask.target.name,
        group=ask.target.resource,
        details={
            "what happened": failure.sentence,
            "how the target was left": failure.left,
            "asked for because": ask.summary,
            **_facts(ask, plan),
        },
    )


def page_at_bound(ask: Ask, hold: PlanHeld) -> Page:
    """The page of a target that can grow no further, while more is asked of it."""
    return Page(
        dedup_key=bound_dedup_key(*_work(ask)),
        summary=f"{ask.target.name} can grow no further: {hold.reason}",
        source=SOURCE,
        severity="critical",
        component=ask.target.name,
        group=ask.target.resource,
        details={
            "guard": hold.guard,
            "asked for because": ask.summary,
            **hold.facts,
            **_facts(ask, None),
        },
    )


def page_for_hold(ask: Ask, plan: Plan | None, hold: PlanHeld) -> Page:
    """The page of a target that nothing can be done for now: a warning, for nothing was changed."""
    failure = Failure(hold.guard, hold.reason, "Nothing was changed.", wrote=False)
    page = page_for_failure(ask, plan, failure)
    return replace(page, summary=f"{_attempt(ask, plan)} cannot be done now: {hold.reason}")


def page_for_resolve(ask: Ask, dedup_key: str) -> Page:
    """What stands for an incident that is over while its resolve waits for the pager."""
    return Page(
        dedup_key=dedup_key,
        summary=f"{ask.target.name}: run {ask.run_id} succeeded",
        source=SOURCE,
        severity="info",
        component=ask.target.name,
    )


def change_event(ask: Ask, plan: Plan) -> ChangeEvent:
    """What the pager shows beside incidents once the change is verified; it wakes nobody."""
    return ChangeEvent(
        summary=f"{ask.target.name}: {plan.what} {plan.before} → {plan.after} ({ask.summary})",
        source=SOURCE,
        details=_facts(ask, plan),
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


def _work(ask: Ask) -> tuple[str, str]:
    return ask.target.name, ask.direction


def _why(ask: Ask) -> str:
    return ask.summary.rstrip(" .")


def _fields(ask: Ask, plan: Plan | None) -> list[tuple[str, str]]:
    fields = [("Rule", ask.rule), ("Action", ask.action)]
    return fields if plan is None else [*fields, ("Price", price_change(plan))]


def _context(ask: Ask) -> str:
    replay = " · a replay" if ask.replay else ""
    alerts = "1 alert" if len(ask.alerts) == 1 else f"{len(ask.alerts)} alerts"
    return f"run {ask.run_id} · {alerts} · rules {ask.rules_hash}{replay}"


def _attempt(ask: Ask, plan: Plan | None) -> str:
    if plan is None:
        return f"{ask.action} of {ask.target.name}"
    return f"{ask.target.name}: {plan.what} {plan.before} → {plan.after}"


def _facts(ask: Ask, plan: Plan | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "run": ask.run_id,
        "rule": ask.rule,
        "action": ask.action,
        "target": ask.target.name,
        "resource": ask.target.resource,
        "alerts": list(ask.alerts),
        "rules": ask.rules_hash,
    }
    if ask.replay:
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
