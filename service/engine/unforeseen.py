"""The end of a run that went wrong where nobody expected it: people see it, whatever it was.

A step may raise what no step should, and so may the code between the steps. Left to itself such a
run has no outcome of ours, its Slack message promises a change for ever, and nobody is told.
Whoever executes the run ends it here, and so does whoever finds it lost later.
"""

from __future__ import annotations

import structlog

from service.catalogue.context import Record
from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import StepFailed, Unforeseen, VendorError
from service.engine import reports
from service.engine.outcomes import SOONEST_AGAIN_S, cooldown_end
from service.engine.parts import LatePage, WorkerParts
from service.messages.announcements import SOURCE
from service.messages.going_on import command, links_of_run, run_facts
from service.ports import Message, Page
from service.ports.runs import Outcome, StoredRun

_log = structlog.get_logger(__name__)

STEP = "end"
_TEXT = 500
"""Characters of an error that are told; the log has all of them."""


def sentence_of(error: Exception, where: str) -> str:
    """What an error says to people; one of ours has a sentence. `where` names the part that raised
    it, such as `Step report`."""
    if isinstance(error, StepFailed | VendorError):
        return error.sentence
    # A step's error has been through its record, which keeps the name of its class.
    seen = error if isinstance(error, Unforeseen) else Unforeseen(type(error).__name__, str(error))
    said = "".join(each if each.isprintable() else " " for each in seen.text)[:_TEXT].strip()
    return (
        f"{where} raised {seen.kind} ({said or 'without a text'}). "
        "This is a mistake in runbookd; the worker's log has the details."
    )


def end_visibly(parts: WorkerParts, run_id: str, sentence: str, attempt: int) -> Record:
    """End a run as failed, once, and tell Slack and the pager what happened.

    A run that has ended before keeps its outcome: then only its report went wrong, and that is
    told. All that is told is plain text, because the text itself may be what went wrong.
    """
    run = parts.runs.get(run_id)
    if run is None:
        return {"status": "unknown", "reason": sentence}
    _log.error("run_went_wrong", run=run_id, status=run.status, why=sentence)
    if run.ended:
        headline = f"Run {run_id} has {run.status}, but people could not be told as usual"
        parts.page_later(LatePage(_page(run, headline, sentence), parts.clock.time()), 0.0)
    else:
        headline = f"Run {run_id} failed"
        conclude_failed(parts, run, headline, sentence, f"unforeseen.{attempt}")
    _tell_slack(parts, run, headline, sentence)
    return {"status": run.status if run.ended else "failed", "reason": sentence}


def conclude_failed(
    parts: WorkerParts, run: StoredRun, headline: str, sentence: str, why: str
) -> None:
    """Queue a look at the run's target and a page, and only then call the run failed.

    Neither a vendor nor the pager is waited for. The full cooldown is due, because
    what went wrong once may go wrong again at the sender's next repeat.
    """
    now = parts.clock.time()
    if run.request.on is not None:
        parts.reconcile(run.id, why, 0.0)
    parts.page_later(LatePage(_page(run, headline, sentence), now), 0.0)
    cooldown_until = cooldown_end(now, max(run.request.cooldown_s, SOONEST_AGAIN_S))
    parts.runs.conclude(run.id, Outcome("failed", sentence, cooldown_until), now)
    if run.request.on is not None:
        parts.locks.unlock(run.request.target.resource, run.id)
    parts.locks.cool_down(run.claim, run.id, cooldown_until, now)


def end_unreadable(parts: WorkerParts, run_id: str, sentence: str) -> None:
    """Page for a lost run whose record cannot be read, and call it failed.

    Nobody knows its target or its cooldown, so a person has to look, and its claim is soon free.
    """
    now = parts.clock.time()
    page = Page(
        dedup_key=run_dedup_key(run_id),
        summary=f"Run {run_id} was lost, and its record cannot be read. {sentence} Look at its "
        "target now: nothing makes it safe.",
        source=SOURCE,
        severity="critical",
    )
    parts.page_later(LatePage(page, now), 0.0)
    parts.runs.conclude(run_id, Outcome("failed", sentence, now + SOONEST_AGAIN_S), now)


def _page(run: StoredRun, headline: str, sentence: str) -> Page:
    scaling = run.request.on is not None
    looked = " Its target is looked at and made safe." if scaling and not run.ended else ""
    return Page(
        dedup_key=run_dedup_key(run.id),
        summary=f"{headline}. {sentence}{looked} See what it did: {command(run.id)}.",
        source=SOURCE,
        severity="warning" if run.status in {"succeeded", "held"} else "critical",
        component=run.request.target.name if run.request.on is not None else "",
        details={"asked for because": run.request.origin.why, **run_facts(run.request)},
        links=links_of_run(run.request),
    )


def _tell_slack(parts: WorkerParts, run: StoredRun, headline: str, sentence: str) -> None:
    text = f"{sentence}\nThe person on call is paged. See {command(run.id)}."
    try:
        reports.say(run.id, run.message, Message(title=headline[:150], text=text), parts)
    except Exception:
        # It may be what went wrong in the first place; the page is queued.
        _log.exception("message_not_edited", run=run.id)
