"""Runs that tell all teams: one step for each channel, and one for the pager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from service.catalogue.context import Record
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, VendorError
from service.engine import outbox, reports
from service.engine.messages import conclude, incident_told, unheard
from service.engine.parts import StepRunner, WorkerParts
from service.messages.going_on import COSTS_NOTHING
from service.messages.tell import announcement, announcement_page
from service.ports import Message
from service.ports.messenger import in_channel


def tell_teams(
    request: Request, parts: WorkerParts, step: StepRunner, fence: Callable[[], None]
) -> None:
    """One execution: the pager where the rule asks for it, each channel, then the cooldown.

    `fence` is called right before each message: a former execution must not tell it once more.
    """
    if request.only_plans:
        step("conclude", _plan, request, parts)
        return
    if request.options["page"]:
        step("page", _page, request, parts)
    channels = dict.fromkeys(request.options["channels"])
    told = [
        step(f"tell_{number}", _tell, request, number, channel, parts, fence)
        for number, channel in enumerate(channels, 1)
    ]
    step("conclude", _conclude, request, told, parts)


def _plan(request: Request, parts: WorkerParts) -> Record:
    """What would be told, and to whom: for the person who asks, and nobody else."""
    options = request.options
    paged = f" It would page the person on call ({options['page']})." if options["page"] else ""
    said = (
        f"It would tell {', '.join(options['channels'])}: {_message(request, parts).text}"
        f"{_stop(options['text'])}{paged} {COSTS_NOTHING} What is told stays told."
    )
    return conclude(request, {"status": "shadow", "reason": said}, parts)


def _stop(text: str) -> str:
    return "" if text.rstrip()[-1:] in ".!?" else "."


def _page(request: Request, parts: WorkerParts) -> Record:
    incident = incident_told(request, parts)
    options = request.options
    page = announcement_page(incident, options["text"], options["page"], request.origin)
    paged = reports.page(page, parts)
    if request.origin.needs_alert:
        reports.close_when_resolved(page, request, request.origin.alerts, parts)
    return {"paged": paged}


def _tell(
    request: Request,
    number: int,
    channel: str,
    parts: WorkerParts,
    fence: Callable[[], None],
) -> Record:
    """Tell one channel, unless an execution that died before its record has told it.

    Between Slack's answer and the mark that it was told lies one statement. A worker that dies just
    there tells the channel once more: that is better than a channel that hears nothing.
    """
    mark = f"told_{number}"
    if parts.runs.intended(request.id, mark):
        return {"channel": channel, "told": "before"}
    message, place = _message(request, parts), f"tell/{request.id}/{number}"
    fence()
    if parts.outbox.replace(place, message, parts.clock.time()):
        return {"channel": channel, "told": "later", "because": "it waits already"}
    told = outbox.post_or_keep(message, parts, in_channel(channel), place=place)
    parts.runs.intend(request.id, mark, parts.clock.time())
    if not isinstance(told, VendorError):
        return {"channel": channel, "told": "now"}
    refused = told.kind is FailureKind.PERMANENT
    return {"channel": channel, "told": "refused" if refused else "later", "because": str(told)}


def _message(request: Request, parts: WorkerParts) -> Message:
    return announcement(incident_told(request, parts), request.options["text"], request.origin)


def _conclude(request: Request, told: Sequence[Record], parts: WorkerParts) -> dict[str, Any]:
    return conclude(request, _outcome(request, told, parts), parts)


def _outcome(request: Request, told: Sequence[Record], parts: WorkerParts) -> dict[str, Any]:
    """A channel that Slack refuses fails the run, and pages: somebody has to correct the rule."""
    refused = [each for each in told if each["told"] == "refused"]
    late = [each["channel"] for each in told if each["told"] == "later"]
    heard = [each["channel"] for each in told if each["told"] in ("now", "before")]
    said = [f"told {', '.join(heard)}" if heard else "", _waits(late)]
    if not refused:
        return {"status": "succeeded", "reason": "; ".join(filter(None, said))}
    said += [f"{each['channel']} was not told: {each['because']}" for each in refused]
    reason = "; ".join(filter(None, said))
    problem = VendorError("slack", "post", FailureKind.PERMANENT, reason)
    page = unheard(request, _message(request, parts), problem)
    return {"status": "failed", "reason": reason, "paged": reports.page(page, parts)}


def _waits(late: Sequence[str]) -> str:
    return f"waits for Slack: {', '.join(late)}" if late else ""
