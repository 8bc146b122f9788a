"""Rules that have demoted themselves. An outcome that is judged does it
(`service.ports.outcomes`), and only a person takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from service.domain.decisions.demoted import Demotion
from service.ports.controls import Beside


class Demotions(Protocol):
    """The record of them. Every method raises StoreUnavailable."""

    def in_force(self) -> Mapping[str, Demotion]:
        """Those that nobody has ended, by rule; few."""
        ...

    def untold(self) -> list[Demotion]:
        """Those of which people were not told yet, the oldest first."""
        ...

    def told(self, demotion: str, now: float) -> None:
        """People were told."""
        ...


class DemotionDesk(Demotions, Protocol):
    """What people change of it."""

    def end(self, rule: str, who: str, now: float, beside: Beside) -> Demotion | None:
        """Promote a rule, and have the alerts that it was asked by judged again; None where it is
        not demoted. `beside` writes the audit in the same transaction."""
        ...
