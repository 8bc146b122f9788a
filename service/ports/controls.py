"""Pauses, locks and holds on record, and alerts that are judged again when what held them ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from service.domain.capacity.ledger import Value
from service.domain.decisions.controls import Control
from service.domain.decisions.requests import Request
from service.ports.admission import Delivery, NewRun
from service.ports.runs import StoredRun

Beside = Callable[[Any], None]
"""Writes a record of its own on the connection of the deed, in its transaction: the audit."""


class Controls(Protocol):
    """What people have put in force. Every method raises StoreUnavailable."""

    def in_force(self) -> tuple[Control, ...]:
        """The pauses, locks and holds that nobody has ended. One that is over may be there."""
        ...

    def end_over(self, now: float) -> None:
        """End those whose time is over, so that they are no longer read with each batch."""
        ...


class ControlDesk(Controls, Protocol):
    """What people change of it."""

    def put(self, control: Control, beside: Beside) -> None:
        """Put one in force."""
        ...

    def end(self, ids: Sequence[str], who: str, now: float, beside: Beside) -> list[Control]:
        """End those of these that are in force, and have what they held judged again; the ended."""
        ...


class LockMirror(Protocol):
    """Tells other installations on the same Redis what people of this one have locked."""

    def show(self, resources: Collection[str], locks: Mapping[str, Control], now: float) -> bool:
        """Show these locks, by vendor resource, and that nobody has locked the others of
        `resources`. It raises nothing; False when Redis did not take it."""
        ...


class RunDesk(Protocol):
    """What people change of runs."""

    def get(self, run_id: str) -> StoredRun | None:
        """One run on record."""
        ...

    def cancel(self, run_id: str, who: str, why: str, now: float, beside: Beside) -> bool:
        """Have a run stop before its first write or between two steps; False when it has ended."""
        ...

    def known_values(self, target: str) -> Mapping[str, Value]:
        """What is known of a target's attributes: by the last change, or by a look since."""
        ...

    def writing(self) -> list[Request]:
        """The runs that have reached their first write and have not ended."""
        ...

    def ask(
        self,
        claim: str,
        make: Callable[[str], NewRun],
        beside: Beside,
        control: Control | None = None,
    ) -> str:
        """Queue the run that `make` makes of the next number of a person's claim; its id.

        `control` is put in force in the same transaction.
        """
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
