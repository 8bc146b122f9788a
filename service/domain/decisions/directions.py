"""Which way a target is changed: more or fewer, larger or smaller, or to a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SET = "set"
"""To exact values, whichever way they lie. Only a look can tell, and the claim is taken before it.
So such a request is judged as one that takes away, and counts afterwards as one that has added:
each time the stricter of the two."""
DIRECTIONS = ("out", "in", "up", "down", SET)
"""The ways in which a target is changed: more and fewer, larger and smaller, and to a value."""
REMOVING = ("in", "down")
"""The directions in which a claim only takes away."""
MAY_REMOVE = (*REMOVING, SET)
"""The directions in which something may be taken away."""
ADDING = ("out", "up")
"""The directions in which a claim only adds."""
OPPOSITE = {"out": "in", "up": "down"}
"""The direction that takes back what another one added."""


def is_less(before: Any, after: Any, ladder: Sequence[str]) -> bool | None:
    """Whether a value is less than the one before it; `ladder` holds sizes, smallest first.

    None where nobody can tell: a size that is not on the ladder.
    """
    if isinstance(before, int) and isinstance(after, int):
        return after < before
    if before in ladder and after in ladder:
        return ladder.index(after) < ladder.index(before)
    return None


def takes_away(changed: Mapping[str, tuple[Any, Any]], ladder: Sequence[str]) -> list[str]:
    """The attributes of a plan that it makes less of, or that may be less.

    `changed` has each attribute with its values before and after.
    """
    return [name for name, pair in changed.items() if is_less(*pair, ladder) is not False]
