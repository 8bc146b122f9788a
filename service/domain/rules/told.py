"""What people are told of the rules that the processes have in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.decisions.decision_json import moment
from service.domain.durations import clock_time

HEARD_EVERY_S = 30.0
"""How often a process says that it is there, in seconds."""
SILENT_S = 100.0
"""After how many seconds without a word a process counts as gone. Three of its words may be
lost."""
_MOST_ERRORS = 3
"""How many errors of files a sentence names. `runbookd check` shows all of them."""


@dataclass(frozen=True, slots=True)
class ProcessRules:
    """The rules of one process: their hash, empty where it has none, and since when it has them.

    `refused` are the errors for which it does not take its files, `refused_since` when it first
    found one. `needs` are sentences on what it can only have after a restart. `heard` is the last
    request to read its files that it has answered. Times are seconds since the epoch.
    """

    process: str
    role: str
    host: str
    pid: int
    hash: str
    since: float
    refused: tuple[str, ...]
    refused_since: float
    needs: tuple[str, ...]
    heard: str
    seen_at: float

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.role} {self.pid} on {self.host}"

    def to_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "role": self.role,
            "host": self.host,
            "pid": self.pid,
            "hash": self.hash,
            "since": moment(self.since),
            "refused": list(self.refused),
            "refused_since": moment(self.refused_since) if self.refused else None,
            "needs": list(self.needs),
        }


def wrong_with(processes: Sequence[ProcessRules]) -> list[str]:
    """A sentence for each thing that is wrong with the rules in force; none where all is well."""
    said: dict[tuple[str, tuple[str, ...]], list[ProcessRules]] = {}
    for each in processes:
        if each.refused:
            said.setdefault((each.hash, each.refused), []).append(each)
    sentences = [_refused(hash_, errors, of) for (hash_, errors), of in said.items()]
    hashes = {each.hash: each for each in processes if not each.refused}
    if len(hashes) > 1:
        told = "; ".join(f"{each.name} has {hash_}" for hash_, each in sorted(hashes.items()))
        sentences.append(
            f"Not all processes have the same rules: {told}. This is right for a second or two "
            "after a change. If it lasts, their files differ: give all of them the same RULES."
        )
    needs = dict.fromkeys(need for each in processes for need in each.needs)
    return [*sentences, *needs]


def shown_errors(errors: Sequence[str]) -> str:
    """The first of the errors, and how many more there are."""
    shown = " ".join(errors[:_MOST_ERRORS])
    more = len(errors) - _MOST_ERRORS
    return f"{shown} And {more} more: `runbookd check` shows all." if more > 0 else shown


def _refused(hash_: str, errors: tuple[str, ...], of: Sequence[ProcessRules]) -> str:
    names = ", ".join(each.name for each in of)
    since = clock_time(min(each.refused_since for each in of))
    stays = f"the rules before stay in force, {hash_}" if hash_ else "there are no rules in force"
    return (
        f"The rule files are refused since {since} by {names}: {stays}. {shown_errors(errors)} "
        "Mend the files: they are read again by themselves."
    )
