"""Watches that are under way: when each looks next, and what it has seen.

Every method raises `service.domain.errors.StoreUnavailable` when the database cannot be used.
Instants are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from service.domain.watching import Seen


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch as a worker has taken it. `token` counts how often it was taken: who has an older
    one has lost it."""

    run: str
    began_at: float
    ends_at: float
    token: int
    seen: Seen


class Watches(Protocol):
    """The record of them."""

    def put(self, run: str, now: float, ends_at: float) -> None:
        """Begin a watch, once; its first look is due now."""
        ...

    def take(self, now: float, hold_s: float) -> Watch | None:
        """The watch whose look has been due for the longest, None where none is due. Nobody else
        gets it for `hold_s` seconds."""
        ...

    def save(self, watch: Watch, seen: Seen) -> bool:
        """Keep what a look has seen, before people are told. False where somebody else has taken
        the watch since; then nothing is kept."""
        ...

    def owned(self, watch: Watch) -> bool:
        """Whether nobody else has taken the watch since."""
        ...

    def told(self, watch: Watch, seen: Seen, due_at: float) -> bool:
        """People were told; the next look is due at `due_at`. False as for `save`."""
        ...

    def end(self, run: str, now: float) -> None:
        """No further look."""
        ...
