"""Runs that report what the month costs, and tell when it goes over the budget.

One step counts, one takes the thresholds that nobody has told this month, one tells, and one ends
the run. The report is recorded, so a repeated execution tells the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.catalogue.actions import ALWAYS
from service.catalogue.context import Record
from service.domain.costs.costs import PAGED_FROM, month_name
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, VendorError
from service.engine import outbox, reports
from service.engine.costing import report_of
from service.engine.messages import conclude, unheard
from service.engine.parts import StepRunner, WorkerParts
from service.messages.costs import amount, budget_page, cost_report, over_budget, summary
from service.messages.going_on import COSTS_NOTHING
from service.ports import Message


def report_costs(
    request: Request, parts: WorkerParts, step: StepRunner, fence: Callable[[], None]
) -> None:
    """One execution. `fence` is called right before a message: a former execution must not tell it
    once more."""
    report = step("count", _count, parts)
    if request.only_plans:
        step("conclude", _plan, request, report, parts)
        return
    taken = step("take", _take, request, report, parts)
    if taken["page"]:
        step("page", _page, request, report, taken, parts)
    told = step("tell", _tell, request, report, taken, parts, fence)
    step("conclude", conclude, request, told, parts)


def _count(parts: WorkerParts) -> Record:
    now = parts.clock.time()
    return report_of(parts.book(), parts.bills, parts.work_of, now).to_json()


def _plan(request: Request, report: Record, parts: WorkerParts) -> Record:
    """The figures, for the person who asks and nobody else. No threshold counts as told by it."""
    said = f"{summary(report)} It would tell this in Slack. {COSTS_NOTHING}"
    return conclude(request, {"status": "shadow", "reason": said}, parts)


def _take(request: Request, report: Record, parts: WorkerParts) -> Record:
    """The largest threshold that this run tells of, and whether it pages; 0 where it tells none.

    The smaller ones are taken with it: who hears of 100 % need not hear of 80 % too.
    """
    month = month_name(report["at"])
    ours = [
        each
        for each in report["reached"]
        if parts.budget_notices.take(month, each, request.id, parts.clock.time())
    ]
    # A threshold that was told before is over those that are only taken now, late.
    largest = max(report["reached"], default=0)
    tells = largest if largest in ours else 0
    return {"month": month, "percent": tells, "page": tells >= PAGED_FROM}


def _page(request: Request, report: Record, taken: Record, parts: WorkerParts) -> Record:
    page = budget_page(report, taken["percent"], taken["month"], request.id)
    return {"paged": reports.page(page, parts)}


def _tell(
    request: Request,
    report: Record,
    taken: Record,
    parts: WorkerParts,
    fence: Callable[[], None],
) -> dict[str, Any]:
    """The message; nothing where no threshold is new and the report is only told with one.

    Between Slack's answer and the mark that it was told lies one statement. A worker that dies just
    there tells it once more.
    """
    message = _message(request, report, taken)
    said = f"{taken['month']} comes to {amount(report['projection'])}"
    if message is None:
        return {"status": "succeeded", "reason": f"{said}; nobody need be told"}
    if parts.runs.intended(request.id, "told"):
        return {"status": "succeeded", "reason": message.title}
    fence()
    told = outbox.post_or_keep(message, parts, place=f"cost/{request.id}")
    parts.runs.intend(request.id, "told", parts.clock.time())
    if not isinstance(told, VendorError):
        return {"status": "succeeded", "reason": message.title}
    if told.kind is not FailureKind.PERMANENT:
        return {"status": "succeeded", "reason": f"{message.title} (waits for Slack: {told})"}
    failed = {"status": "failed", "reason": f"{said}, and nobody could be told: {told}"}
    return {**failed, "paged": reports.page(unheard(request, message, told), parts)}


def _message(request: Request, report: Record, taken: Record) -> Message | None:
    context = f"{request.origin.kind} {request.origin.by} · run {request.id} · `runbookd cost`"
    if taken["percent"]:
        return over_budget(report, taken["percent"], taken["month"], context)
    if request.options["tell"] != ALWAYS:
        return None
    title = f"What {taken['month']} costs: {amount(report['projection'])}"
    return cost_report(report, title, context)
