"""Messages that the messenger could not be told yet: kept until it takes them.

Every method raises `service.domain.errors.StoreUnavailable` when the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.ports.messenger import Message, MessageRef


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits, since it was said at `since` (seconds since the epoch); `tries` is how
    often it was sent in vain.

    `key` is its place: there is one message for each, the newest that was said. `ref` is what it
    replaces, None for a new message; `thread` is what it answers. `run` is the run whose message it
    is; where it is then goes on that run's record. `version` counts what was said in its place.
    """

    key: str
    message: Message
    ref: MessageRef | None
    thread: MessageRef | None
    run: str
    since: float
    tries: int
    version: int


class Outbox(Protocol):
    """The messages that wait."""

    def put(self, waiting: Waiting, due_at: float) -> None:
        """Keep a message until `due_at` (seconds since the epoch). In a place that is taken, it
        replaces what was said before, and is due with that."""
        ...

    def replace(self, key: str, message: Message, now: float) -> bool:
        """Say something newer in a place where a message waits; False where none does."""
        ...

    def take(self, now: float, hold_s: float, limit: int) -> Sequence[Waiting]:
        """Messages that are due, oldest first. Nobody else gets them for `hold_s` seconds."""
        ...

    def told(self, waiting: Waiting, ref: MessageRef, now: float) -> None:
        """It was told, and is at `ref`: forget it, unless something newer was said meanwhile. Then
        that is due now, as an edit of `ref`."""
        ...

    def again(self, waiting: Waiting, due_at: float) -> None:
        """It could not be told: try it again at `due_at`."""
        ...

    def forget(self, waiting: Waiting) -> None:
        """Give it up."""
        ...

    def count(self) -> int:
        """How many messages wait."""
        ...
