"""What each message and page says to go on from: ids, links, the next try, what to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.decisions.requests import ALERT, REPLAY, Origin, Request
from service.domain.durations import moment
from service.domain.links import Link, shown_links


def explained(run: str) -> str:
    """The command that tells all about a run or an alert."""
    return f"runbookd explain {run}"


def command(run: str) -> str:
    """The same within a sentence."""
    return f"`{explained(run)}`"


NOTHING_DONE = "Nothing was changed, so there is nothing to stop, to undo or to pay."
"""Of what only told people, or told nobody."""
COSTS_NOTHING = "That changes nothing, costs nothing and takes nothing down."
"""The end of a plan that only tells."""
SILENCE = "To hear no more of it, silence it at its sender."
CLOSES = "The incident is closed when the last of its alerts has resolved."


def asked_for(origin: Origin) -> str:
    """Who asked for a run, and why, as a sentence."""
    who = f"Rule {origin.by}" if origin.kind in (ALERT, REPLAY) else origin.by
    return f"{who} asked for it: {origin.why.rstrip('. ')}."


def alerts_named(episodes: Sequence[str]) -> str:
    """The first alert by its id, and how many more there are; empty where there is none."""
    if not episodes:
        return ""
    more = len(episodes) - 1
    return f"alert {episodes[0]}" + (f" and {more} more" if more else "")


def context_of(request: Request) -> str:
    """The last line of a message about a run."""
    parts = [
        f"run {request.id}",
        alerts_named(request.origin.alerts),
        f"rules {request.rules_hash}",
        "a replay" if request.origin.replayed else "",
        command(request.id),
    ]
    return " · ".join(filter(None, parts))


def links_of_run(request: Request) -> tuple[Link, ...]:
    """The target's page at its vendor, then what the alert names."""
    console = []
    if request.on is not None:
        console = [(request.on.console, f"{request.on.name}: the vendor's console")]
    return shown_links([*console, *request.origin.links])


def run_facts(request: Request) -> dict[str, Any]:
    """The ids of a run, as details of a page."""
    facts: dict[str, Any] = {
        "what to type": explained(request.id),
        "run": request.id,
        "rule": request.origin.by,
        "action": request.action,
        "alerts": list(request.origin.alerts),
        "rules": request.rules_hash,
    }
    if request.on is not None:
        facts |= {"target": request.on.name, "resource": request.on.resource}
    return facts | ({"replay": True} if request.origin.replayed else {})


def next_try(request: Request, at: float, now: float, *, by_itself: bool) -> str:
    """When a run that changed nothing, or failed, is tried again: one sentence.

    `at` is the end of the claim's cooldown, in seconds since the epoch. What is not tried again by
    itself has to be asked for once more.
    """
    when = moment(at, now)
    if by_itself:
        return f"It is looked at again {when}."
    if request.origin.needs_alert:
        return f"The next try may be {when}, if the alert still fires and is sent again."
    return f"The next try may be {when}, if it is asked for again."
