"""The durable record of droplets that runs switch off: implemented by `service.store.offs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.capacity.refusals import Refusal
from service.ports.messenger import MessageRef

ON = "on"
"""How a record ends: the droplet was seen on again."""
TAKEN_OVER = "taken_over"
"""A person switched the droplet off, so it is theirs."""
GONE = "gone"
"""It was destroyed or archived: nobody can switch it on."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A shutdown or power-off that a run was about to send, recorded before it was sent.

    `after` is the id of the droplet's newest action at that time. `id` is that of our action; None
    while no answer is on record, as after a crash between the two.
    """

    type: str
    after: int | None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class OffRecord:
    """A droplet that a run switches off, or has switched off.

    `holder` is the worker process that looks after it. `since` is when the first shutdown was
    about to be sent, `next_at` when it is to be looked at again at the earliest (both in seconds
    since the epoch). `tries` counts the looks after the run's end. `line` is the message that
    tells of them. `ended` is ON, TAKEN_OVER, GONE, or empty while the droplet may be off.
    """

    run: str
    resource: str
    droplet: str
    holder: str
    since: float
    sent: tuple[Sent, ...] = ()
    tries: int = 0
    next_at: float = 0.0
    line: MessageRef | None = None
    ended: str = ""

    @property
    def open(self) -> bool:
        """Whether the droplet may be off because of the run."""
        return not self.ended and bool(self.sent)


@dataclass(frozen=True, slots=True)
class Resize:
    """What a record is opened for: the run, its vendor resource, the droplet, the new size."""

    run: str
    resource: str
    droplet: str
    size: str


class Offs(Protocol):
    """The records. Every method raises StoreUnavailable."""

    def hold(self, resize: Resize, holder: str, now: float) -> tuple[OffRecord, bool]:
        """Take the run's record over, or make it; and whether it is new."""
        ...

    def take(self, run_id: str, holder: str) -> OffRecord | None:
        """Take the run's record over, where there is one."""
        ...

    def get(self, run_id: str) -> OffRecord | None:
        """The run's record."""
        ...

    def sending(self, run_id: str, sent: Sent, now: float) -> int:
        """Record an action before it is sent, which opens the record again; its number."""
        ...

    def answered(self, run_id: str, number: int, action: int | None) -> None:
        """Record the id of that action; None: the vendor did not take it."""
        ...

    def refused(self, run_id: str, words: str) -> None:
        """Record that the vendor refused the resize for good, in its own words."""
        ...

    def told(self, run_id: str, line: MessageRef) -> None:
        """Record where the message is that tells how it goes."""
        ...

    def looked(self, run_id: str, tries: int, next_at: float) -> None:
        """Record a look after the run's end: `tries` is how many there were before it."""
        ...

    def end(self, run_id: str, how: str, now: float) -> None:
        """Record that the droplet need not be looked after: ON, TAKEN_OVER or GONE."""
        ...

    def open_again(self, run_id: str) -> None:
        """Record that the droplet was found off again."""
        ...

    def still_open(self) -> Sequence[OffRecord]:
        """All records of droplets that may be off, oldest first."""
        ...

    def refusals(self, resource: str) -> Sequence[Refusal]:
        """What the vendor refused for good on this resource, oldest first."""
        ...
