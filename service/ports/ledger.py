"""The ledger of what our changes made of each target, and what a return has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.domain.capacity.ledger import Entry, Value
from service.domain.decisions.returns import Asker

HELD_BY = "a person at the vendor"
"""Who holds a value that somebody has set past runbookd."""
HOLD_S = 43_200.0
"""How long a person's value is held, in seconds, where nobody said for how long."""


class Ledger(Protocol):
    """The record of it. Every method raises StoreUnavailable.

    What a run makes of its target is kept in the transaction that ends the run (`Runs.conclude`).
    """

    def entries(self) -> Sequence[Entry]:
        """Every attribute that a run has ever changed, by target and attribute."""
        ...

    def saw(
        self, target: str, values: Mapping[str, Value], looked_at: float, now: float
    ) -> Sequence[Entry]:
        """Keep what a look that began at `looked_at` has shown.

        A value that nobody here has set is a person's. It is held in the same transaction, and the
        entry as it was before is returned. A look that a change of ours may have overtaken is left
        out.
        """
        ...

    def found(self, target: str, values: Mapping[str, Value], now: float) -> None:
        """Keep values that a level holds and no run has made, so that a person's change of them is
        seen as one. What is known already stays as it is."""
        ...

    def waits(self, target: str, attribute: str, saw: str) -> None:
        """Keep what the next return waits for; empty where it waits for nothing."""
        ...

    def askers(self, target: str, alerts: Sequence[str], now: float) -> Sequence[Asker]:
        """These alerts, and those that have asked for more of the target lately."""
        ...

    def asking_more(self, target: str, now: float) -> Sequence[Asker]:
        """The alerts that have asked for more of the target lately, by rules that only add."""
        ...

    def open_pages(self, service: str) -> Sequence[str]:
        """The names of the alerts whose incident is open at the pager; with `service` only those
        that carry it as their label."""
        ...
