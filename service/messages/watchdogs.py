"""What people are told of a watchdog that is silent, and of one that is heard again. Pure."""

from __future__ import annotations

from service.domain.alerts.dedup import watchdog_dedup_key
from service.domain.durations import clock_time, lasted, moment
from service.domain.watchdogs import Known
from service.messages.announcements import SOURCE
from service.messages.going_on import NOTHING_DONE
from service.ports import Message, Page

_MEANS = (
    "Alerts may not reach runbookd, so nothing is done about them and nobody is paged for them."
)
_LOOK = (
    "Look whether Prometheus and Alertmanager run, whether Alertmanager logs errors for its "
    "webhook to runbookd, and whether runbookd's web process answers."
)


def _silent(known: Known, now: float) -> str:
    return f"{known.alert} always fires, and was last heard {moment(known.heard_at or 0.0, now)}."


def silent_page(known: Known, now: float) -> Page:
    """The page for a watchdog that is silent."""
    return Page(
        dedup_key=watchdog_dedup_key(known.alert),
        summary=f"No alerts may be arriving: {_silent(known, now)}"[:1024],
        source=SOURCE,
        severity="critical",
        details={
            "what it means": _MEANS,
            "last heard": clock_time(known.heard_at or 0.0),
            "may be absent for": lasted(known.absent_s),
            "what to do": _LOOK,
            "what to type": "runbookd doctor",
            "what comes next": "The page closes by itself when the watchdog is heard again.",
        },
    )


def silent_message(known: Known, now: float) -> Message:
    """That a watchdog is silent."""
    return Message(
        title=f"Silent: {known.alert}"[:150],
        text=f"{_silent(known, now)} {_MEANS} The person on call is paged. {_LOOK}",
        context=f"{NOTHING_DONE} · `runbookd doctor`",
    )


def not_paged_message(known: Known, problem: str) -> Message:
    """That the pager does not take the page."""
    return Message(
        title=f"Nobody was paged: {known.alert} is silent"[:150],
        text=f"{problem} The pager is told again each minute. {_MEANS} {_LOOK}",
        context="`runbookd doctor`",
    )


def back_message(known: Known, now: float) -> Message:
    """That a watchdog is heard again."""
    silent_s = now - (known.silent_since or now)
    return Message(
        title=f"Heard again: {known.alert}"[:150],
        text=(
            f"{known.alert} is heard again, {lasted(silent_s)} after people were told that it was "
            "silent. Alerts arrive. The page is closed."
        ),
        context="Alerts that fired meanwhile come with their senders' next repeat. · "
        "`runbookd alerts --firing`",
    )
