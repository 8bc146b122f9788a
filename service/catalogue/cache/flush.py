"""What a flush may name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Annotated

from pydantic import Field

from service.catalogue.shapes import Shape

MOST_PREFIXES = 20

Prefix = Annotated[
    str, Field(pattern=r"^[!-~]{2,200}$", description="how keys begin, such as cache:")
]


class FlushOptions(Shape):
    """What is flushed: the keys with these prefixes, or without any the cache's generation."""

    prefixes: list[Prefix] = Field(
        default=[],
        max_length=MOST_PREFIXES,
        description="a list of how keys begin, such as [cache:]",
    )


def overlaps(prefixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of which the first covers the second."""
    seen: set[frozenset[str]] = set()
    for one, another in permutations(prefixes, 2):
        pair = frozenset((one, another))
        if another.startswith(one) and pair not in seen:
            seen.add(pair)
            yield one, another
