"""A vendor's bill, and everything at the vendor that is billed.

Every method of the first raises `service.domain.errors.VendorError`. Every method of the record of
notices raises StoreUnavailable.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from service.domain.costs.costs import Booked

APP, DROPLET, DATABASE = "app", "droplet", "database"
VOLUME, SNAPSHOT, ADDRESS, BALANCER = "volume", "snapshot", "reserved IP", "load balancer"


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing at the vendor that is billed, as the vendor lists it.

    `kind` is one of the words above. `count` is how many of `size` there are, `gigabytes` how large
    it is. `month` and `hour` are the vendor's own prices of all of it, in dollars, where the list
    says them. `since` is when it was made, in seconds since the epoch. `used` is whether something
    stands behind it: a volume that is attached, an address that is assigned, a balancer that has
    somebody to send to, a droplet that is on. `of` is the id of what a snapshot was taken of.
    `disk_gb` is the disk of a droplet, in gigabytes. `busy` is whether an action on it is under
    way.
    """

    kind: str
    id: str
    name: str
    size: str = ""
    count: int = 1
    gigabytes: Decimal = Decimal(0)
    month: Decimal | None = None
    hour: Decimal | None = None
    since: float = 0.0
    used: bool = True
    tags: tuple[str, ...] = ()
    of: str = ""
    disk_gb: int = 0
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that is billed, and sentences about the lists that could not be read."""

    resources: tuple[Resource, ...]
    unread: tuple[str, ...] = ()


class Bills(Protocol):
    """The account at a vendor."""

    @property
    def seller(self) -> str:
        """The vendor as it writes its own name."""
        ...

    def booked(self) -> Booked:
        """What the vendor has booked this month."""
        ...

    def inventory(self) -> Inventory:
        """Everything that is billed. A list that cannot be read is told, and hides no other."""
        ...


class BudgetNotices(Protocol):
    """Which thresholds of the budget people were told of."""

    def take(self, month: str, percent: int, run: str, now: float) -> bool:
        """Whether this run is the one that tells of a threshold in that month: the first that
        asked, however often it asks."""
        ...
