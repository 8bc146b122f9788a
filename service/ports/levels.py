"""What workers keep of levels: the rules in force, what was applied, and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from service.domain.decisions.decision import Check
from service.domain.decisions.requests import Request
from service.domain.levels.applied import Applied
from service.domain.levels.levels import Attribute, Baseline, Value

BOOK_SILENT_S = 300.0
"""Rules are in force while a worker that has them was seen within this long, in seconds."""

CHANGING_S = 30.0
"""For how long after a change of the rules those of before still bound what alerts may do, in
seconds: other workers read the new ones a second or two later."""


class LevelRecord(Protocol):
    """The record of levels. Every method raises StoreUnavailable."""

    def put_in_force(self, rules_hash: str, now: float, *, starts: bool) -> bool:
        """Whether a worker's rules are in force, by which alone levels are judged.

        A worker that starts puts its rules in force. So does one whose rules are others, once no
        worker with the rules in force was seen for `BOOK_SILENT_S`.
        """
        ...

    def in_force(self) -> str:
        """The hash of the rules in force; empty before any worker has levels."""
        ...

    def binds(self, rules_hash: str, now: float) -> bool:
        """Whether the levels of these rules bound what alerts may do: they are in force, or other
        rules have been for less than `CHANGING_S`."""
        ...

    def rows(self) -> Mapping[Attribute, Applied]:
        """What is known of each attribute that a level holds or has held."""
        ...

    def asked(self, connection: Any, request: Request, now: float) -> None:
        """Keep that a run was asked for, in the transaction that queues it."""
        ...

    def applied(self, attribute: Attribute, says: str, now: float) -> None:
        """A look has found an attribute to be as what holds (`says`) wants it."""
        ...

    def waits(self, attribute: Attribute, saw: str) -> None:
        """Keep what holds a level back; empty where nothing does."""
        ...

    def is_news(self, level: str, digest: str, now: float) -> bool:
        """Whether a level is new, or says something else than when people were last told of it.
        Of several workers that ask, one hears that it is."""
        ...

    def baselines(self) -> Mapping[Baseline, Value]:
        """How many there were at the start of each growth, or which size."""
        ...

    def keep_baseline(self, of: Baseline, value: Value, now: float) -> None:
        """Keep what there was, once for all."""
        ...

    def check(self, request: Request, now: float) -> Check:
        """Whether what a level has asked for is still wanted."""
        ...
