"""Telling people: in Slack, where nothing may fail a run, and at the pager, where it must."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from service.actions import announcements
from service.actions.announcements import Failure
from service.actions.base import Record
from service.actions.retry import call_with_retries
from service.domain.dedup import PREFIX, bound_dedup_key, run_dedup_key
from service.domain.errors import VendorError
from service.domain.planning import Ask, Plan, PlanHeld
from service.engine.outcomes import RESOLVED
from service.engine.parts import LatePage, WorkerParts
from service.ports import Message, MessageRef, Page

_log = structlog.get_logger(__name__)

UNOBSERVABLE = "unobservable"
"""The guard that holds when a target cannot be looked at: someone must know, so it pages."""
_SILENT_GUARDS = frozenset({RESOLVED, "settling"})
"""Holds that nobody waits to hear of: what asked is over, or was answered a moment ago."""

_CHAT_ATTEMPTS, _CHAT_BUDGET_S = 3, 10.0
_PAGE_ATTEMPTS, _PAGE_BUDGET_S = 3, 10.0
"""Short, because a page that is not taken at once is queued, and a run need not wait for it."""
_HELD_ATTEMPTS, _HELD_BUDGET_S = 12, 300.0
"""The page of a held run is not queued: the next run that is held asks for it again, and one that
succeeds closes its incident, which a later page would open again."""


def announce(ask: Ask, plan: Plan, parts: WorkerParts) -> Record:
    """Post what is about to change; where the message is goes on record."""
    stored = parts.runs.get(ask.run_id)
    if stored is not None and stored.message is not None:
        # Posted by an execution that died before it was on its record.
        return {"channel": stored.message.channel, "ts": stored.message.ts}
    ref = post(announcements.announced(ask, plan), parts)
    if ref is None:
        return {}
    parts.runs.set_message(ask.run_id, ref)
    return {"channel": ref.channel, "ts": ref.ts}


def reference(record: Mapping[str, Any]) -> MessageRef | None:
    """Where a recorded announcement is; None when it could not be posted."""
    return MessageRef(record["channel"], record["ts"]) if "ts" in record else None


@dataclass(frozen=True, slots=True)
class Result:
    """A verified change: how long it took, in seconds, and until when its claim rests."""

    plan: Plan
    took_s: float
    rests_until: float


def report_done(ask: Ask, result: Result, thread: MessageRef | None, parts: WorkerParts) -> Record:
    """The announcement becomes the result; the pager gets a change event and old pages end."""
    message = announcements.finished(ask, result.plan, result.took_s, result.rests_until)
    told = edit(thread, message, parts)
    event = announcements.change_event(ask, result.plan)
    noted = _quietly(
        lambda: parts.pager.change(event.summary, event.source, event.details),
        "change event",
        parts,
    )
    over = (
        bound_dedup_key(ask.target.name, ask.direction),
        blocked_key(ask),
        run_dedup_key(ask.run_id),
    )
    for key in over:
        _quietly(partial(parts.pager.resolve, key), "resolve", parts)
    return {"told": told, "change_event": noted}


def report_held(
    ask: Ask, held: PlanHeld, again_at: float | None, parts: WorkerParts, *, told_before: bool
) -> Record:
    """Say that nothing was changed, and page where nothing more can be done automatically.

    What the run before this one said already is not said again: a target that a person has locked
    for an hour is asked about every minute.
    """
    if held.guard in _SILENT_GUARDS:
        return {"told": False}
    message = announcements.held(ask, held, again_at)
    told = not told_before and post(message, parts) is not None
    if held.at_bound:
        return {"told": told, "paged": _page_held(announcements.page_at_bound(ask, held), parts)}
    if held.guard == UNOBSERVABLE:
        failure = Failure("prepare", held.reason, "Nothing was changed.")
        blocked = replace(
            announcements.page_for_failure(ask, None, failure), dedup_key=blocked_key(ask)
        )
        return {"told": told, "paged": _page_held(blocked, parts)}
    return {"told": told}


def report_failed(
    ask: Ask, plan: Plan, failure: Failure, thread: MessageRef | None, parts: WorkerParts
) -> Record:
    """The page first, then the announcement becomes the failure."""
    paged = page(announcements.page_for_failure(ask, plan, failure), parts)
    told = edit(thread, announcements.failed(ask, plan, failure, paged=paged), parts)
    return {"paged": paged, "told": told}


def blocked_key(ask: Ask) -> str:
    """One incident while a target cannot even be looked at, however often it is tried."""
    return f"{PREFIX}blocked/{ask.target.name}.{ask.direction}"


def page(page_: Page, parts: WorkerParts, attempts: int = _PAGE_ATTEMPTS) -> bool:
    """Trigger a page; False when it was queued instead, to be tried until the pager takes it."""
    if send(page_, parts, attempts):
        return True
    parts.page_later(LatePage(page_, parts.clock.time()), 0.0)
    return False


def _page_held(page_: Page, parts: WorkerParts) -> bool:
    return send(page_, parts, _HELD_ATTEMPTS, _HELD_BUDGET_S)


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


def post(
    message: Message, parts: WorkerParts, thread: MessageRef | None = None
) -> MessageRef | None:
    """Post a message; None, and a warning in the log, when it could not be."""
    try:
        return call_with_retries(
            lambda: parts.messenger.post(message, thread),
            clock=parts.clock,
            attempts=_CHAT_ATTEMPTS,
            budget_s=_CHAT_BUDGET_S,
        )
    except VendorError as error:
        _log.warning("message_not_posted", title=message.title, error=str(error))
        return None


def edit(ref: MessageRef | None, message: Message, parts: WorkerParts) -> bool:
    """Edit a message, or post it when there was none to edit."""
    if ref is None:
        return post(message, parts) is not None
    return _quietly(lambda: parts.messenger.update(ref, message), "edit", parts)


def _quietly(call: Any, what: str, parts: WorkerParts) -> bool:
    try:
        call_with_retries(call, clock=parts.clock, attempts=_CHAT_ATTEMPTS, budget_s=_CHAT_BUDGET_S)
    except VendorError as error:
        _log.warning("not_told", what=what, error=str(error))
        return False
    return True
