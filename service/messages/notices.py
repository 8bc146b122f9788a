"""What is said of alerts that led to nothing. Pure."""

from __future__ import annotations

from service.domain.decisions.requests import Request
from service.messages.going_on import context_of, links_of_run
from service.ports import Message


def hold_line(request: Request) -> Message:
    """A line in the thread of the run that holds others back."""
    again = "After that, the alert's next repeat is acted on."
    return Message(title="", text=f"Held: {request.origin.why} {again}")


def held_by_people(request: Request) -> Message:
    """That a pause, a lock or a freeze window holds what an alert asks for."""
    return Message(
        title="Held by people",
        text=request.origin.why,
        fields=[("End it", "runbookd resume TARGET"), ("See all of it", "runbookd status")],
        context=context_of(request),
        links=links_of_run(request),
    )


def nobody_paged(request: Request) -> Message:
    """What a rule in shadow would have paged."""
    return Message(
        title="In shadow: nobody was paged",
        text=request.origin.why,
        context=context_of(request),
        links=links_of_run(request),
    )


def not_readable(request: Request) -> Message:
    """Alerts of a source that could not be read, and what to do about it."""
    source = request.subject
    return Message(
        title=f"Alerts from {source} could not be read",
        text=(
            f"{request.origin.why}\nThey are kept as they came. Correct what sends them, or tell "
            "somebody who can: an alert that cannot be read changes nothing and pages nobody."
        ),
        fields=[("Source", source), ("See them", "runbookd quarantine")],
        context="Told once an hour for each source and reason.",
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
