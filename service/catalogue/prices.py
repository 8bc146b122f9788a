"""What the sizes of a kind cost: the vendor's own list, and the documented prices that stand in.

Pure. `service.catalogue.steps.price_lists` asks the vendor and keeps what it says. What is
`observed` is its record: `sizes`, each with at least `price_monthly`, and `source`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_VERSION = 1

Sizes = Mapping[str, Mapping[str, Any]]
"""What a vendor says of each size, as plain JSON; `price_monthly` is in dollars."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A vendor's list as it was at `at`, in seconds since the epoch."""

    at: float
    sizes: Sizes

    @property
    def day(self) -> str:
        """The UTC day of the list, YYYY-MM-DD."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d")

    def dump(self) -> str:
        """The text that is kept."""
        return json.dumps({"version": _VERSION, "at": self.at, "sizes": self.sizes})


def load_kept(text: str) -> Kept | None:
    """The list that was kept; None where there is none, or one of another version."""
    found = json.loads(text) if text else None
    if not found or found.get("version") != _VERSION:
        return None
    return Kept(found["at"], found["sizes"])


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one kind.

    `documented` maps sizes to dollars a month, as `seller` documented them in the month
    `documented_in`; `whole` is whether they are all that is sold. `note` is the name under which
    the vendor's own list is kept, empty where the vendor has none. `order_is_sure` is False where
    the documented prices have changed since rule files were first checked by them: a ladder that
    falls in price was valid then, so it is no error now.
    """

    seller: str
    documented: Mapping[str, float]
    documented_in: str = ""
    note: str = ""
    whole: bool = False
    order_is_sure: bool = True

    def price(self, observed: Mapping[str, Any], size: str) -> float | None:
        """Dollars a month; None where nobody knows."""
        known = observed.get("sizes", {}).get(size)
        return self.documented.get(size) if known is None else float(known["price_monthly"])

    def source(self, observed: Mapping[str, Any], *sizes: str) -> str:
        """Where the prices of these sizes come from, as a message says it; empty where that is
        the vendor's list of today, or nobody knows a price."""
        known = observed.get("sizes", {})
        priced = [size for size in sizes if self.price(observed, size) is not None]
        if not priced:
            return ""
        if all(size in known for size in priced):
            return str(observed.get("source", ""))
        if known:
            return self.stand_in("it does not name them")
        return str(observed.get("source") or self.stand_in("it could not be asked"))

    def stand_in(self, because: str) -> str:
        """That the documented prices stand in, and why."""
        return f"{self.seller}'s documented prices of {self.documented_in}, because {because}"

    def list_of(self, kept: Kept) -> str:
        """The vendor's own list, by its day."""
        return f"{self.seller}'s list of {kept.day}"
