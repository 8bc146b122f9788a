"""What is said of alerts that led to nothing. Pure."""

from __future__ import annotations

from service.domain.decisions.requests import Request
from service.messages.going_on import (
    NOTHING_DONE,
    alerts_named,
    command,
    context_of,
    explained,
    links_of_run,
)
from service.ports import Message


def hold_line(request: Request) -> Message:
    """A line in the thread of the run that holds others back."""
    again = "After that, the alert's next repeat is acted on."
    return Message(
        title="",
        text=f"Held: {request.origin.why} {again} {NOTHING_DONE}",
        context=_of_alert(request),
    )


def _of_alert(request: Request) -> str:
    """The last line of a reply: the thread is of another run, so the alert is what to explain."""
    named = alerts_named(request.origin.alerts)
    return f"{named} · {command(request.origin.alerts[0])}" if named else ""


def held_by_people(request: Request) -> Message:
    """That a pause, a lock or a freeze window holds what an alert asks for."""
    return Message(
        title="Held by people",
        text=request.origin.why,
        fields=[("End it", "runbookd resume TARGET"), ("See all of it", "runbookd status")],
        context=context_of(request),
        links=links_of_run(request),
    )


def held_by_rule(request: Request) -> Message:
    """That an alert fires and resolves again and again, and that its rule waits."""
    alert = request.origin.alerts[0] if request.origin.alerts else request.id
    return Message(
        title="Held: the alert flaps",
        text=f"{request.origin.why} {NOTHING_DONE}",
        fields=[("See each check", explained(alert)), ("Steady it", _STEADY)],
        context=context_of(request),
        links=links_of_run(request),
    )


_STEADY = "give the sender's own rule a longer `for`, or `keep_firing_for`"


def nobody_paged(request: Request) -> Message:
    """What a rule in shadow would have paged."""
    return Message(
        title="In shadow: nobody was paged",
        text=f"{request.origin.why} {NOTHING_DONE}",
        context=context_of(request),
        links=links_of_run(request),
    )


def not_readable(request: Request) -> Message:
    """Alerts of a source that could not be read, and what to do about it."""
    source = request.subject
    return Message(
        title=f"Alerts from {source} could not be read",
        text=(
            f"{request.origin.why}\nThey are kept as they came, and no rule saw them: nobody is "
            f"paged. {NOTHING_DONE} Correct what sends them, or tell somebody who can. What comes "
            "next is read anew. This is told once an hour for each source and reason."
        ),
        fields=[("Source", source), ("See them", "runbookd quarantine")],
        context=context_of(request),
    )


def refused(request: Request) -> Message:
    """What a sender may not do, and what to do about it."""
    sender = request.subject
    return Message(
        title=f"Not taken from {sender}",
        text=request.origin.why,
        fields=[("Sender", sender)],
        context="Told once an hour for each credential and rule.",
    )
