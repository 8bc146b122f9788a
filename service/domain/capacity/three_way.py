"""A merge of three states, field by field: what was planned from, what is there, what is wanted.

Pure. A person's change always wins: a field that no longer has the value that the plan was made
from is never written, and a field that the plan does not change is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = int | str | None
"""One field. None means that the field is gone, or that the vendor decides on it."""


@dataclass(frozen=True, slots=True)
class ToWrite:
    """Nobody changed anything. `values` are the fields that still have to be written."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """Every wanted field has its value, so there is nothing to write."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that somebody else changed: its value in the plan, now, and as wanted.

    `wanted` equals `planned` for a field that the plan was made from and does not change.
    """

    field: str
    planned: Value
    found: Value
    wanted: Value

    def __str__(self) -> str:
        """As sentences name it."""
        gone = "is gone or scaled by the vendor itself"
        now = gone if self.found is None else f"is {self.found} now"
        was = "not set" if self.planned is None else self.planned
        return f"{self.field} was {was} when this run looked and {now}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else changed these fields since the plan was made. Nothing may be written."""

    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        """As sentences name it."""
        return "; ".join(map(str, self.differences))


def merge(
    planned: Mapping[str, Value], found: Mapping[str, Value], wanted: Mapping[str, Value]
) -> ToWrite | AlreadyThere | Conflict:
    """What may be written to get from `found` to `wanted`.

    `planned` holds every field that the plan was made from, and `found` holds the same fields as
    they were read last. `wanted` holds those that the plan changes; each of them is in `planned`.
    """
    if all(found[field] == value for field, value in wanted.items()):
        return AlreadyThere()
    differences = tuple(
        Difference(field, before, found[field], wanted.get(field, before))
        for field, before in planned.items()
        if found[field] not in (before, wanted.get(field, before))
    )
    if differences:
        return Conflict(differences)
    return ToWrite({field: value for field, value in wanted.items() if found[field] != value})
