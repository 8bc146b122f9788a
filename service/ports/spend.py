"""What the targets cost, as it was last seen, and what runs under way add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.domain.decisions.budget import Spend


class Spending(Protocol):
    """The record of it. Every method raises StoreUnavailable."""

    def known(self, besides: str = "") -> Sequence[Spend]:
        """Each target that was ever seen; without what the run `besides` has reserved."""
        ...

    def saw(self, target: str, dollars_month: float | None, now: float) -> None:
        """Keep what a target costs, in dollars a month, as a look has shown that began at `now`
        (seconds since the epoch). What is known since then stays."""
        ...
