"""Pauses and locks on record, and the alerts that are judged again when what held them is over."""

from __future__ import annotations

from typing import Protocol

from service.domain.decisions.controls import Control
from service.ports.admission import Delivery


class Controls(Protocol):
    """What people have put in force. Every method raises StoreUnavailable."""

    def in_force(self) -> tuple[Control, ...]:
        """The pauses and locks that nobody has ended; one whose time is over may be among them."""
        ...

    def end_over(self, now: float) -> None:
        """End those whose time is over, so that they are no longer read with each batch."""
        ...


class Due(Protocol):
    """The alerts whose guard lets go. Every method raises StoreUnavailable."""

    def next_due(self) -> float | None:
        """When the first alert is due, in seconds since the epoch; None where none waits."""
        ...

    def take(self, now: float, limit: int, again_s: float) -> list[Delivery]:
        """Reserve up to `limit` alerts that are due, for `again_s` seconds, and load them as they
        came. If whoever took them dies, they are due again after that."""
        ...
