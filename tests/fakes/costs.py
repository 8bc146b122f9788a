"""A vendor's account, and the record of notices, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from service.domain.costs.costs import Booked
from service.domain.errors import VendorError
from service.ports.bills import Inventory, Resource


@dataclass(slots=True)
class FakeBills:
    """An account. `dollars` is what is booked, None for no number; `error` what every question is
    answered with."""

    dollars: Decimal | None = Decimal(0)
    resources: tuple[Resource, ...] = ()
    unread: tuple[str, ...] = ()
    error: VendorError | None = None

    @property
    def seller(self) -> str:
        return "DigitalOcean"

    def booked(self) -> Booked:
        if self.error is not None:
            raise self.error
        why = "" if self.dollars is not None else "it names no number"
        return Booked(self.seller, self.dollars, "", why)

    def inventory(self) -> Inventory:
        if self.error is not None:
            raise self.error
        return Inventory(self.resources, self.unread)


@dataclass(slots=True)
class FakeBudgetNotices:
    """The run that tells, by month and threshold."""

    runs: dict[tuple[str, int], str] = field(default_factory=dict)

    def take(self, month: str, percent: int, run: str, now: float) -> bool:
        return self.runs.setdefault((month, percent), run) == run
