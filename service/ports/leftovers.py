"""What runs have left at a vendor that is billed, such as a snapshot, until it is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one run has left: `what` is as its step recorded it. `tries` is how often removing it
    has failed."""

    run: str
    what: Mapping[str, Any]
    tries: int


class Leftovers(Protocol):
    """The record of it. Every method raises StoreUnavailable."""

    def put(self, run: str, what: Mapping[str, Any], due_at: float) -> None:
        """Keep what a run has left, once; it is to be removed at `due_at` (seconds, the epoch)."""
        ...

    def take(self, now: float, again_s: float, limit: int) -> list[Leftover]:
        """Reserve what is due for `again_s` seconds: of several workers one removes it."""
        ...

    def removed(self, run: str, now: float) -> None:
        """It is gone."""
        ...
