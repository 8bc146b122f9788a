"""Asking a vendor for its price list, and keeping what it says with its date.

A list that does not come must not keep a run waiting. Then the list that was kept is used, however
old it is; without one, the documented prices. Each plan says which.
"""

from __future__ import annotations

from collections.abc import Callable

from service.bounded import Bounded, Overdue
from service.catalogue.context import Record
from service.catalogue.prices import Kept, PriceList, Sizes, load_kept
from service.catalogue.spec import Tools
from service.domain.errors import VendorError
from service.retry import call_with_retries

FRESH_S = 86_400.0
"""A day: a list that was kept is asked for again after it. Vendors announce new prices weeks
before."""


def ask_prices(
    prices: PriceList, ask: Callable[[], Sizes], tools: Tools, fresh_s: float = 0.0
) -> Record:
    """The sizes by slug, and `source`: where they come from, empty where the vendor said so now.

    A kept list that is younger than `fresh_s` seconds is as good as a new one. `ask` raises
    VendorError. It has `Timings.price_list_s` in all, whatever the vendor does.
    """
    kept = load_kept(tools.notes.get(prices.note))
    if kept is not None and tools.clock.time() - kept.at < fresh_s:
        return {"sizes": kept.sizes, "source": ""}
    longest_s = tools.timings.price_list_s
    try:
        sizes = Bounded(longest_s)(
            lambda: call_with_retries(
                ask,
                clock=tools.clock,
                attempts=tools.timings.retry_attempts,
                budget_s=longest_s / 2,
            )
        )
    except (VendorError, Overdue):
        return _without_the_vendor(prices, kept, "it could not be asked")
    return _said(prices, sizes, kept, tools)


def told_prices(prices: PriceList, sizes: Sizes, tools: Tools) -> Record:
    """The same, where the vendor names its prices in an answer that is needed for more."""
    kept = load_kept(tools.notes.get(prices.note))
    if not sizes:
        return _without_the_vendor(prices, kept, "it does not name them")
    return _said(prices, sizes, kept, tools)


def _said(prices: PriceList, sizes: Sizes, kept: Kept | None, tools: Tools) -> Record:
    """What the vendor has said, which is kept: but not each time that it says the same."""
    now = tools.clock.time()
    if kept is None or now - kept.at >= FRESH_S or kept.sizes != sizes:
        tools.notes.put(prices.note, Kept(now, sizes).dump())
    return {"sizes": sizes, "source": ""}


def _without_the_vendor(prices: PriceList, kept: Kept | None, because: str) -> Record:
    if kept is None:
        return {"sizes": {}, "source": prices.stand_in(because)}
    return {"sizes": kept.sizes, "source": prices.list_of(kept)}
