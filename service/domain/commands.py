"""What a person may type about a run: to stop it, to take it back, to try again."""

from __future__ import annotations

STOP, UNDO, RETRY, NO_MORE = "Stop it", "Undo it", "Try again", "No more of it"
_OF_STATUS = {
    "queued": (STOP, "cancel {run} --why WHY"),
    "running": (STOP, "cancel {run} --why WHY"),
    "succeeded": (UNDO, "undo {run}"),
    "failed": (RETRY, "retry {run}"),
    "held": (RETRY, "retry {run}"),
    "cancelled": (RETRY, "retry {run}"),
}


def to_type(run: str, status: str, target: str) -> list[tuple[str, str]]:
    """What fits a run with this status, each a few words and a command; nothing without a target.

    A pause of the target is among them whatever the status: it holds what alerts ask for next.
    """
    if not target:
        return []
    fits = [_OF_STATUS[status]] if status in _OF_STATUS else []
    every = [*fits, (NO_MORE, "pause {target} --for 30m --why WHY")]
    return [(words, "runbookd " + typed.format(run=run, target=target)) for words, typed in every]
