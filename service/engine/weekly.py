"""Runs that tell what was done in a week: one message, and a picture in its thread.

One step counts, one tells, one uploads the picture, and one ends the run. The text comes first and
says everything, so that a picture that cannot be shown takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from service.catalogue.context import Record
from service.domain.capacity.growth import MOST_DAYS
from service.domain.costs.week import (
    by_action,
    day_name,
    days_of,
    indicators,
    is_measured,
    week_before,
)
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, VendorError
from service.domain.levels.replanning import replanned
from service.domain.readings.readings import DAY_S
from service.engine import outbox, reports
from service.engine.costing import report_of
from service.engine.messages import conclude, unheard
from service.engine.parts import StepRunner, WorkerParts
from service.engine.week_picture import NO_MATPLOTLIB, drawn
from service.messages.going_on import COSTS_NOTHING
from service.messages.weekly import week_summary, week_title, weekly_message, without_picture
from service.ports import Message, MessageRef
from service.ports.messenger import Picture

UPLOADS, UPLOADED = "uploads", "uploaded"
"""On record before the upload, so that none is sent twice, and after Slack's answer."""
_LOST = (
    "a worker died while it was uploaded. It may be there or not, and is not sent a second time."
)
_UNMEASURED = "no readings of instances or dollars are kept of these days."


def report_week(
    request: Request, parts: WorkerParts, step: StepRunner, fence: Callable[[], None]
) -> None:
    """One execution. `fence` is called right before the message and before the upload: a former
    execution must not send either once more."""
    report = step("count", _count, parts)
    if request.only_plans:
        step("conclude", _plan, request, report, parts)
        return
    told = step("tell", _tell, request, report, parts, fence)
    because = ""
    if "ts" in told:
        ref = MessageRef(told["channel"], told["ts"])
        because = step("picture", _picture, request, report, ref, parts, fence)["because"]
    step("conclude", _conclude, request, told, because, parts)


def _count(parts: WorkerParts) -> Record:
    now = parts.clock.time()
    since, until = week_before(now)
    readings = parts.weeks.days(since, until)
    return {
        "from": day_name(since),
        "to": day_name(until - DAY_S),
        "runs": by_action(parts.weeks.runs(since, until)),
        "days": days_of(readings, since),
        "indicators": indicators(readings),
        "cost": report_of(parts.book(), parts.bills, parts.work_of, now).to_json(),
        "growths": _growths(parts, now),
    }


def _growths(parts: WorkerParts, now: float) -> list[Record]:
    """Each growth that is under way beside what was measured."""
    book = parts.book()
    if book is None or not any(each.grows for each in book.levels.levels):
        return []
    levels = replace(book.levels, baselines=parts.levels.baselines())
    return replanned(levels, parts.weeks.days(now - MOST_DAYS * DAY_S, now), now)


def _plan(request: Request, report: Record, parts: WorkerParts) -> Record:
    """The figures, for the person who asks and nobody else."""
    said = (
        f"{week_title(report)}. {week_summary(report)} It would tell this in Slack. {COSTS_NOTHING}"
    )
    return conclude(request, {"status": "shadow", "reason": said}, parts)


def _tell(
    request: Request, report: Record, parts: WorkerParts, fence: Callable[[], None]
) -> Record:
    """The message. Where it is goes on the run's record right after Slack's answer. A worker that
    dies between these two tells it once more: that is the one gap."""
    message = _message(request, report)
    stored = parts.runs.get(request.id)
    if stored is not None and stored.message is not None:
        return _at(stored.message, message)
    fence()
    waits = {
        "status": "succeeded",
        "reason": f"{message.title} (waits for Slack, without its picture)",
    }
    if parts.outbox.replace(outbox.place_of(request.id), message, parts.clock.time()):
        return waits
    told = outbox.post_or_keep(message, parts, run=request.id)
    if not isinstance(told, VendorError):
        parts.runs.set_message(request.id, told)
        return _at(told, message)
    if told.kind is not FailureKind.PERMANENT:
        return waits
    failed = {"status": "failed", "reason": f"nobody could be told of the week: {told}"}
    return {**failed, "paged": reports.page(unheard(request, message, told), parts)}


def _at(ref: MessageRef, message: Message) -> Record:
    return {
        "status": "succeeded",
        "reason": message.title,
        "channel": ref.channel,
        "ts": ref.ts,
    }


def _message(request: Request, report: Record) -> Message:
    context = f"{request.origin.kind} {request.origin.by} · run {request.id}"
    return weekly_message(report, context)


def _picture(
    request: Request,
    report: Record,
    ref: MessageRef,
    parts: WorkerParts,
    fence: Callable[[], None],
) -> Record:
    """The picture, or why there is none; then the message says so too."""
    because = _not_shown(request, report, ref, parts, fence)
    if because:
        outbox.edit(ref, without_picture(_message(request, report), because), parts, request.id)
    return {"because": because}


def _not_shown(
    request: Request,
    report: Record,
    ref: MessageRef,
    parts: WorkerParts,
    fence: Callable[[], None],
) -> str:
    """Show the picture. Why it could not be shown, as a sentence; empty where it is there."""
    if parts.runs.intended(request.id, UPLOADED):
        return ""
    if parts.runs.intended(request.id, UPLOADS):
        return _LOST
    if not is_measured(report["days"]):
        return _UNMEASURED
    content = drawn(report["days"])
    if content is None:
        return NO_MATPLOTLIB
    parts.runs.intend(request.id, UPLOADS, parts.clock.time())
    fence()
    title = f"Dollars and instances by day, {report['from']} to {report['to']}"
    try:
        parts.messenger.picture(ref, Picture(f"week-{report['from']}.png", title, content))
    except VendorError as error:
        return str(error)
    parts.runs.intend(request.id, UPLOADED, parts.clock.time())
    return ""


def _conclude(request: Request, told: Record, because: str, parts: WorkerParts) -> dict[str, Any]:
    outcome = {name: value for name, value in told.items() if name not in ("channel", "ts")}
    if because:
        outcome["reason"] = f"{outcome['reason']}; no picture: {because}"
    return conclude(request, outcome, parts)
