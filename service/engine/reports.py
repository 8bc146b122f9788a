"""Telling people of a run: in Slack and at the pager. Neither may fail it, or keep it waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from service.catalogue.context import Record
from service.domain.alerts.dedup import blocked_dedup_key, bound_dedup_key, run_dedup_key
from service.domain.decisions.guards import PROSPECT_GUARDS
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import LIMITED
from service.domain.decisions.requests import RETURN, SCENARIO, Request
from service.domain.durations import lasted, moment
from service.domain.errors import VendorError
from service.engine import outbox
from service.engine.outcomes import UNOBSERVABLE, VENDOR_BUSY
from service.engine.parts import LatePage, WorkerParts
from service.messages import announcements
from service.messages.announcements import Failure
from service.messages.demoted import page_instead
from service.ports import Message, MessageRef, Page
from service.retry import call_with_retries

_log = structlog.get_logger(__name__)

_SILENT_GUARDS = frozenset(guard.name for guard in PROSPECT_GUARDS if not guard.told)

_FIRST_WARNING = 1
"""A vendor that refuses for now is paged when the second run in a row meets it."""
_PAGE_ATTEMPTS, _PAGE_BUDGET_S = 3, 10.0
"""For those who may wait for the pager: queued pages, which keep no run waiting."""


def announce(request: Request, plan: Plan, parts: WorkerParts) -> Record:
    """Post what is about to change; where the message is goes on record."""
    if _told_by_scenario(request):
        return {}
    stored = parts.runs.get(request.id)
    if stored is not None and stored.message is not None:
        # Posted by an execution that died before it was on its record.
        return {"channel": stored.message.channel, "ts": stored.message.ts}
    ref = outbox.post(announcements.announced(request, plan), parts, run=request.id)
    if ref is None:
        return {}
    return {"channel": ref.channel, "ts": ref.ts}


def _told_by_scenario(request: Request) -> bool:
    """Whether its scenario's message tells what became of it: a run of a step has none of its
    own."""
    return request.origin.kind == SCENARIO


def reference(record: Mapping[str, Any]) -> MessageRef | None:
    """Where a recorded announcement is; None when it could not be posted at once."""
    return MessageRef(record["channel"], record["ts"]) if "ts" in record else None


@dataclass(frozen=True, slots=True)
class Result:
    """A verified change: how long it took, in seconds, and the end of its cooldown."""

    plan: Plan
    took_s: float
    cooldown_until: float


def report_done(
    request: Request, result: Result, thread: MessageRef | None, parts: WorkerParts
) -> Record:
    """The announcement becomes the result; the pager gets a change event and old pages end."""
    failures = parts.runs.failures_before(request.id)
    message = announcements.finished(
        request,
        result.plan,
        result.took_s,
        result.cooldown_until,
        parts.clock.time(),
        failures,
        comes_back=_comes_back(request, result.cooldown_until, parts),
    )
    told = not _told_by_scenario(request) and say(request.id, thread, message, parts)
    event = announcements.change_event(request, result.plan)
    noted = _quietly(
        lambda: parts.pager.change(event.summary, event.source, event.details, event.links),
        "change event",
        parts,
        attempts=1,
    )
    _resolve_over(request, failures, parts, pager_answers=noted)
    return {"told": told, "change_event": noted}


def _comes_back(request: Request, cooldown_until: float, parts: WorkerParts) -> str:
    """When what alerts have added is taken back; empty where it stays."""
    returns = request.policy.returns
    known = [each for each in parts.ledger.entries() if each.target == request.target.name]
    if request.origin.kind == RETURN:
        if not any(each.additions for each in known):
            return "Nothing is left of what alerts had added."
        when = moment(cooldown_until, parts.clock.time())
        return f"What is left of what alerts added may be taken back {when}, at the earliest."
    if returns is None or not request.origin.alerts:
        return ""
    wait_s = max([each.wait_s(returns.after_s) for each in known], default=returns.after_s)
    if wait_s > returns.after_s:
        return (
            "It was asked for again soon after it had been taken back, so it is taken back only "
            f"after {lasted(wait_s)} of calm."
        )
    return f"It is taken back after {lasted(wait_s)} of calm."


def _resolve_over(
    request: Request, failures: Sequence[str], parts: WorkerParts, *, pager_answers: bool
) -> None:
    """Close what was open about the target. After one failed call of the pager all is queued."""
    bound = bound_dedup_key(request.target.name, request.direction)
    parts.incidents.mark(bound, paged=False)
    over = (bound, blocked_key(request), *map(run_dedup_key, (request.id, *failures)))
    for key in over:
        pager_answers = pager_answers and resolve(key, parts, attempts=1)
        if not pager_answers:
            page_ = announcements.page_for_resolve(request, key)
            parts.page_later(LatePage(page_, parts.clock.time(), run=request.id), 0.0)


def report_shadow(
    request: Request, result: Result, parts: WorkerParts, *, demoted: bool = False
) -> Record:
    """Say what would have been changed, had the rule's mode let it. Where the rule has `demoted`
    itself, somebody is paged to decide instead."""
    if _told_by_scenario(request):
        return {"told": False}
    message = announcements.shadowed(
        request, result.plan, result.cooldown_until, parts.clock.time(), demoted=demoted
    )
    told = outbox.post(message, parts, run=request.id) is not None
    if not demoted:
        return {"told": told}
    page_ = page_instead(request, result.plan)
    paged = page(page_, parts)
    if request.origin.needs_alert:
        close_when_resolved(page_, request, request.origin.alerts, parts)
    return {"told": told, "paged": paged}


def report_held(
    request: Request,
    held: PlanHeld,
    next_try: str,
    parts: WorkerParts,
    *,
    told_before: bool,
) -> Record:
    """Say that nothing was changed, and page where nothing more can be done automatically.

    What the run before this one said already is not said again: a target that a person has locked
    for an hour is asked about every minute.
    """
    if held.guard in _SILENT_GUARDS or _told_by_scenario(request):
        return {"told": False}
    page_ = _page_of_hold(request, held, next_try, told_before=told_before)
    message = announcements.held(request, held, next_try, paged=page_ is not None)
    told = not told_before and outbox.post(message, parts) is not None
    if page_ is None:
        return {"told": told}
    paged = page(page_, parts, run=request.id, queue=not told_before)
    if held.at_bound and request.origin.needs_alert:
        close_when_resolved(page_, request, request.origin.alerts, parts)
    return {"told": told, "paged": paged}


def close_when_resolved(
    page_: Page, request: Request, alerts: Sequence[str], parts: WorkerParts
) -> None:
    """A page about what is not done any more is over when none of these alerts asks for it."""
    key = page_.dedup_key
    parts.incidents.enlist(key, request.origin.by, page_.severity, alerts)
    state = parts.incidents.state(key)
    if state is not None and not state.firing and resolve(key, parts, attempts=1):
        parts.incidents.mark(key, paged=False)


def _page_of_hold(
    request: Request, held: PlanHeld, next_try: str, *, told_before: bool
) -> Page | None:
    """The page of a hold that somebody must know of."""
    if held.at_bound:
        return announcements.page_at_bound(request, held, next_try=next_try)
    if held.guard == UNOBSERVABLE or (held.guard == VENDOR_BUSY and told_before):
        return announcements.page_for_hold(request, None, held, next_try=next_try)
    return None


@dataclass(frozen=True, slots=True)
class PutOff:
    """A planned change that wrote nothing: why, the sentence that says when it is tried again, and
    how many runs in a row before it wrote nothing either."""

    plan: Plan
    held: PlanHeld
    next_try: str
    fruitless_before: int


def report_put_off(
    request: Request, off: PutOff, thread: MessageRef | None, parts: WorkerParts
) -> Record:
    """The announcement becomes the reason.

    A vendor that goes on refusing is paged as a warning. So is a limit on the number of changes.
    """
    message = announcements.put_off(request, off.plan, off.held, off.next_try)
    told = not _told_by_scenario(request) and say(request.id, thread, message, parts)
    refused_again = off.held.guard == VENDOR_BUSY and bool(off.fruitless_before)
    if not refused_again and off.held.guard != LIMITED:
        return {"told": told}
    page_ = announcements.page_for_hold(request, off.plan, off.held, next_try=off.next_try)
    queue = off.held.guard == LIMITED or off.fruitless_before == _FIRST_WARNING
    return {"told": told, "paged": page(page_, parts, run=request.id, queue=queue)}


@dataclass(frozen=True, slots=True)
class Failed:
    """A change that failed.

    `fruitless_before` is how many runs in a row, just before it, wrote nothing. `for_good` is True
    where the vendor's refusal is final: then all such runs share one incident. `next_try` is the
    sentence that says when it may be tried again.
    """

    plan: Plan
    failure: Failure
    fruitless_before: int
    next_try: str
    for_good: bool = False


def report_failed(
    request: Request, end: Failed, thread: MessageRef | None, parts: WorkerParts
) -> Record:
    """The page first, then the announcement becomes the failure."""
    plan, failure = end.plan, end.failure
    page_ = announcements.page_for_failure(request, plan, failure, next_try=end.next_try)
    if end.for_good:
        page_ = replace(page_, dedup_key=blocked_key(request))
    queue = failure.wrote or not end.fruitless_before
    paged = page(page_, parts, run=request.id, queue=queue)
    if end.for_good:
        # The watch may have opened one for this run; what it said is over, or in the other one.
        resolve(run_dedup_key(request.id), parts, attempts=1)
    message = announcements.failed(request, plan, failure, paged=paged, next_try=end.next_try)
    told = not _told_by_scenario(request) and say(request.id, thread, message, parts)
    return {"paged": paged, "told": told}


def blocked_key(request: Request) -> str:
    """One incident while a target cannot be looked at or changed, however often it is tried."""
    return blocked_dedup_key(request.target.name, request.direction)


def page(page_: Page, parts: WorkerParts, *, run: str = "", queue: bool = True) -> bool:
    """Trigger a page with one try; False when the pager did not take it.

    Then it is queued, and tried until the pager takes it. With `run`, the failed or held run that
    it tells of, it is over once a later run of the same work succeeds. `queue` is False where an
    earlier run has queued the page of the same incident already.
    """
    if send(page_, parts, attempts=1):
        return True
    if queue:
        parts.page_later(LatePage(page_, parts.clock.time(), run=run), 0.0)
    return False


def send(
    page_: Page,
    parts: WorkerParts,
    attempts: int = _PAGE_ATTEMPTS,
    budget_s: float = _PAGE_BUDGET_S,
) -> bool:
    """Trigger a page now; False, and an error in the log, when the pager did not take it."""
    try:
        call_with_retries(
            lambda: parts.pager.trigger(page_),
            clock=parts.clock,
            attempts=attempts,
            budget_s=budget_s,
        )
    except VendorError as error:
        _log.error(
            "page_not_delivered",
            incident=page_.dedup_key,
            summary=page_.summary,
            error=str(error),
        )
        return False
    return True


def resolve(dedup_key: str, parts: WorkerParts, attempts: int = _PAGE_ATTEMPTS) -> bool:
    """Close an incident now; False, and a warning in the log, when the pager did not take it."""
    return _quietly(lambda: parts.pager.resolve(dedup_key), "resolve", parts, attempts)


def say(run: str, ref: MessageRef | None, message: Message, parts: WorkerParts) -> bool:
    """Make this what the run's message says; False where that has to wait.

    `ref` is where the message is, as the run has it. A message that had to wait may have been
    posted since, and then it is edited as well.
    """
    if ref is None:
        stored = parts.runs.get(run)
        ref = stored.message if stored is not None else None
    if ref is None:
        return outbox.post(message, parts, run=run) is not None
    return outbox.edit(ref, message, parts, run)


def _quietly(call: Any, what: str, parts: WorkerParts, attempts: int = _PAGE_ATTEMPTS) -> bool:
    try:
        call_with_retries(call, clock=parts.clock, attempts=attempts, budget_s=_PAGE_BUDGET_S)
    except VendorError as error:
        _log.warning("not_told", what=what, error=str(error))
        return False
    return True
