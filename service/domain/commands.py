"""What a person may type about a run: to stop it, to take it back, to try again."""

from __future__ import annotations

from collections.abc import Mapping

STOP, UNDO, RETRY, NO_MORE = "Stop it", "Undo it", "Try again", "No more of it"
_TYPED = {
    STOP: "cancel {run} --why WHY",
    UNDO: "undo {run}",
    RETRY: "retry {run}",
    NO_MORE: "pause {target} --for 30m --why WHY",
}
_OF_STATUS = {
    "queued": (STOP,),
    "running": (STOP,),
    "succeeded": (UNDO,),
    "failed": (RETRY, UNDO),
    "held": (RETRY,),
    "cancelled": (RETRY,),
}
NO_UNDO: Mapping[str, str] = {
    "purge": "the edge has lost its copies, and takes them from the origin as they are asked for",
    "tell": "what was told has been read",
    "archive_rows": "the rows are whole in the archive; a person moves back those that are wanted",
    "cost_report": "it only reads and tells",
    "weekly_report": "it only reads and tells",
    "decide": "it only reads and asks; undo the run that it has asked for",
    "watch": "it only looks and tells; to end it before its time, cancel it",
    "start_scenario": "it only starts; take back the scenario that it has started",
    "flush_cache": "what was removed is loaded anew, as the application asks for it",
    "kill_queries": "a session that was ended is gone, and its client has to connect anew",
    "remove_unused": (
        "what was removed is gone; a volume or a droplet is made anew, by a person, from the "
        "snapshot that was taken right before"
    ),
    "optimize_database": (
        "it changes no data; an index that is not wanted any more is a person's to drop, and a "
        "partition theirs to drop or to attach again"
    ),
}
"""Why what an action did cannot be put back, by the action. A test compares it with the
catalogue."""


def to_type(
    run: str, status: str, target: str, *, wrote: bool = True, action: str = ""
) -> list[tuple[str, str]]:
    """What fits a run with this status, each a few words and a command; nothing without a target.

    A pause of the target is among them whatever the status: it holds what alerts ask for next.
    `wrote` is False for a failed run of which no write can have taken effect: there is nothing to
    undo. Neither is there where the `action`, empty where it is not known, cannot be undone.
    """
    if not target:
        return []
    undoable = wrote and action not in NO_UNDO
    fits = [words for words in _OF_STATUS.get(status, ()) if undoable or words != UNDO]
    return [
        (words, "runbookd " + _TYPED[words].format(run=run, target=target))
        for words in (*fits, NO_MORE)
    ]
