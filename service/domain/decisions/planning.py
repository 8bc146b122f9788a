"""From what is wanted and what is there to one absolute plan, or the guard that holds it back.

Pure: the worker observes, this decides, the worker acts. A plan says where a target shall be
("4 replicas"), never how far to move it, so that carrying it out twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domain.decisions.decision import Check

_NAMES, _VALUES = " and ", " × "
"""How `what`, and `before` and `after`, hold those of several attributes in one text."""


def together(parts: Sequence[tuple[str, str, str]]) -> tuple[str, str, str]:
    """`what`, `before` and `after` of a plan that changes these attributes: name, before, after."""
    names, before, after = zip(*parts, strict=True)
    return _NAMES.join(names), _VALUES.join(before), _VALUES.join(after)


def values_of(what: str, values: str) -> tuple[tuple[str, str], ...]:
    """Each attribute of `what` with its value, in the order of the plan; empty where the text is
    no list of values."""
    names, each = what.split(_NAMES), values.split(_VALUES)
    return tuple(zip(names, each, strict=True)) if len(names) == len(each) else ()


def change_of(what: str, before: str, after: str) -> str:
    """What a plan changes, as a person reads it: `replicas 2 → 4; size basic-s → basic-m`."""
    was, will = values_of(what, before), dict(values_of(what, after))
    if not (was and will):
        return f"{what} {before} → {after}"
    return "; ".join(f"{name} {value} → {will[name]}" for name, value in was)


def state_of(what: str, values: str) -> str:
    """The values of a plan's attributes, as a person reads them: `replicas 4; size basic-m`."""
    each = values_of(what, values) or ((what, values),)
    return "; ".join(f"{name} {value}" for name, value in each)


@dataclass(frozen=True, slots=True)
class Plan:
    """The absolute state wanted, and the names of the steps to it, in order.

    `what` is the thing that changes ("replicas", "size"); `before` and `after` are its values
    as a person reads them. Prices are dollars a month, None where no price is known;
    `price_source` says where they come from, where that is not the vendor's own list of today.
    `wanted` holds the machine-readable values for the steps; all of a plan is plain JSON.
    `downtime` is one sentence: for how long the change takes the target down. `asks` is why a
    person has to approve it, whoever asked for it; empty where nobody has to.
    """

    what: str
    before: str
    after: str
    steps: tuple[str, ...]
    wanted: Mapping[str, Any]
    price_before: float | None = None
    price_after: float | None = None
    price_source: str = ""
    downtime: str = ""
    asks: str = ""

    @property
    def change(self) -> str:
        """What changes, as a person reads it: `replicas 2 → 4; size basic-s → basic-m`."""
        return change_of(self.what, self.before, self.after)

    @property
    def left_at(self) -> str:
        """What the target has once all is done: `replicas 4; size basic-m`."""
        return state_of(self.what, self.after)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the record of a run."""
        # Left out where it is empty, so that the version before reads such a plan too.
        asks = {"asks": self.asks} if self.asks else {}
        return {
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "steps": list(self.steps),
            "wanted": dict(self.wanted),
            "price_before": self.price_before,
            "price_after": self.price_after,
            "price_source": self.price_source,
            "downtime": self.downtime,
            **asks,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        return cls(**{**data, "steps": tuple(data["steps"])})


@dataclass(frozen=True, slots=True)
class PlanHeld:
    """Why no plan was made: the guard that held it, and what it saw.

    `at_bound` is True at the end of a ladder or at the maximum: the full cooldown is due and one
    page, because nothing more can be done automatically. `retry_after_s` says when looking again
    makes sense, where the guard knows. `unsafe` is True where the target does not serve as it is;
    `by_person` where a person has left it as it is.
    """

    guard: str
    reason: str
    at_bound: bool = False
    retry_after_s: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    unsafe: bool = False
    by_person: bool = False

    @property
    def check(self) -> Check:
        """The hold as the check that decided."""
        return Check(self.guard, passed=False, saw=self.reason)
