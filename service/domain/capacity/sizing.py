"""Ladders of sizes and what they cost: which size comes next, and for how many dollars a month.

Vendors add sizes faster than a runbook is rewritten, so a ladder may name sizes that are not
listed here; their price is then unknown, which is not the same as free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from service.domain.rules.rules import TargetKind


class UnknownSizeError(ValueError):
    """The target runs at a size that its ladder does not hold, so no next step is known."""


def _dollars(prices: Mapping[str, int]) -> Mapping[str, float]:
    return MappingProxyType({size: float(price) for size, price in prices.items()})


DROPLET_PRICES = _dollars(
    {
        "s-1vcpu-1gb": 6,
        "s-1vcpu-2gb": 12,
        "s-2vcpu-2gb": 18,
        "s-2vcpu-4gb": 24,
        "s-4vcpu-8gb": 48,
        "c-2": 42,
        "c-4": 84,
        "m-2vcpu-16gb": 84,
    }
)
"""USD a month (runbook, DigitalOcean Droplet Sizes)."""

APP_PRICES = _dollars(
    {
        "basic-xxs": 5,
        "basic-xs": 12,
        "basic-s": 25,
        "professional-xs": 20,
        "professional-s": 40,
        "professional-m": 80,
        "professional-l": 160,
    }
)
"""USD a month for one instance (runbook, App Platform Vertical Scaling)."""

SUPABASE_PRICES = _dollars(
    {
        "ci_micro": 10,
        "ci_small": 15,
        "ci_medium": 60,
        "ci_large": 111,
        "ci_xlarge": 210,
        "ci_2xlarge": 410,
        "ci_4xlarge": 964,
        "ci_8xlarge": 1870,
        "ci_12xlarge": 2800,
        "ci_16xlarge": 3738,
    }
)
"""USD a month (Supabase's compute add-ons; the runbook's Free, Pro and Team are plans)."""

_PRICES: Mapping[TargetKind, Mapping[str, float]] = MappingProxyType(
    {
        TargetKind.APP_PLATFORM: APP_PRICES,
        TargetKind.DROPLET: DROPLET_PRICES,
        TargetKind.SUPABASE: SUPABASE_PRICES,
    }
)


def monthly_price(kind: TargetKind, size: str) -> float | None:
    """USD a month for one droplet, instance or project of that size; None when unknown."""
    return _PRICES[kind].get(size)


def kind_of_size(size: str) -> TargetKind | None:
    """The kind of target a known size belongs to; None for a size that is not listed."""
    return next((kind for kind, prices in _PRICES.items() if size in prices), None)


def next_size(ladder: Sequence[str], current: str) -> str | None:
    """The size one step above `current`; None at the top.

    Raises `UnknownSizeError` when the ladder does not hold `current`: guessing could make the
    target smaller.
    """
    if current not in ladder:
        raise UnknownSizeError(
            f"Size {current} is not on the ladder ({' → '.join(ladder) or 'empty'}), so the next "
            "size is not known; nothing was changed. Add it to the target's sizes, or resize by "
            "hand to one of them."
        )
    above = list(ladder).index(current) + 1
    return ladder[above] if above < len(ladder) else None
