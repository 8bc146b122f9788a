"""What one rule file made of the alerts of a time, and how two of them differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FLAP_S = 3_600.0
"""A target that gets more and has it taken away again within this many seconds has flapped."""
COUNTED = ("actions", "pages", "holds", "messages", "approvals", "flaps", "failed")
"""The numbers of which both files have a total."""
DOLLARS = "dollars"
VERDICTS = "verdicts"
"""How many alerts came out differently: a number of the comparison, of which no file has one."""

Became = tuple[str, str, str, int]
"""What notifications of an alert led to: the action, its target (empty without one), what became of
it, and how often."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one rule file made of the alerts.

    `actions` are the verified changes by action and target, `shadow` those that a rule in shadow
    would have made. `holds` are by guard: of each notification that was held, and of each run that
    a worker held. `pages` are by rule: how often somebody was called. `flaps` and `dollars` are by
    target; dollars are those of the whole time. Of the targets in `unpriced` they are not known.
    `alerts` has what became of each alert, by its id.
    """

    rules_hash: str
    actions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    shadow: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pages: Mapping[str, int] = field(default_factory=dict)
    holds: Mapping[str, int] = field(default_factory=dict)
    flaps: Mapping[str, int] = field(default_factory=dict)
    dollars: Mapping[str, float] = field(default_factory=dict)
    unpriced: Sequence[str] = ()
    messages: int = 0
    approvals: int = 0
    failed: int = 0
    alerts: Mapping[str, tuple[Became, ...]] = field(default_factory=dict)

    def total(self, name: str) -> float:
        """One of the numbers, over all that it is split by."""
        found = getattr(self, name)
        return found if isinstance(found, int) else sum(found.values())


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison: what is counted, of what, and both numbers."""

    what: str
    of: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """How many more the new file has; below zero for fewer."""
        return round(self.after - self.before, 2)


@dataclass(frozen=True, slots=True)
class Differs:
    """An alert that comes out differently: its id, and what became of it by either file."""

    alert: str
    before: tuple[Became, ...]
    after: tuple[Became, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same alerts by two rule files: the one in force, and the new one."""

    before: Tally
    after: Tally
    alerts: int
    notifications: int

    def rows(self) -> list[Row]:
        """Every number that either file has, in the order of a report."""
        a, b = self.before, self.after
        return [
            *_rows("actions", _named(a.actions), _named(b.actions)),
            *_rows("shadow", _named(a.shadow), _named(b.shadow)),
            *_rows("pages", a.pages, b.pages),
            *_rows("holds", a.holds, b.holds),
            *_rows("flaps", a.flaps, b.flaps),
            Row("messages", "", a.messages, b.messages),
            Row("approvals", "", a.approvals, b.approvals),
            Row("failed", "", a.failed, b.failed),
            *_rows(DOLLARS, a.dollars, b.dollars),
        ]

    def differing(self) -> list[Differs]:
        """The alerts that come out differently, by their ids: the oldest first."""
        a, b = self.before.alerts, self.after.alerts
        return [
            Differs(alert, a.get(alert, ()), b.get(alert, ()))
            for alert in sorted(a.keys() | b.keys())
            if a.get(alert, ()) != b.get(alert, ())
        ]

    def totals(self) -> dict[str, tuple[float, float]]:
        """What a limit can name: the total by either file."""
        found = {name: (self.before.total(name), self.after.total(name)) for name in COUNTED}
        both = self.before.dollars.keys() & self.after.dollars.keys()
        dollars = tuple(
            round(sum(each.dollars[name] for name in sorted(both)), 2)
            for each in (self.before, self.after)
        )
        differ = float(len(self.differing()))
        return {**found, DOLLARS: (dollars[0], dollars[1]), VERDICTS: (0.0, differ)}

    def to_json(self) -> dict[str, Any]:
        """Plain values for programs, all alerts that differ among them."""
        return {
            "alerts": self.alerts,
            "notifications": self.notifications,
            "rules": {"before": self.before.rules_hash, "after": self.after.rules_hash},
            "totals": {
                name: {"before": a, "after": b, "difference": round(b - a, 2)}
                for name, (a, b) in self.totals().items()
            },
            "rows": [
                {
                    "what": row.what,
                    "of": row.of,
                    "before": row.before,
                    "after": row.after,
                    "difference": row.difference,
                }
                for row in self.rows()
            ],
            "unpriced": sorted({*self.before.unpriced, *self.after.unpriced}),
            "verdicts": [
                {
                    "alert": each.alert,
                    "before": [_became_json(one) for one in each.before],
                    "after": [_became_json(one) for one in each.after],
                }
                for each in self.differing()
            ],
        }


def told(became: Sequence[Became]) -> str:
    """What became of an alert, for a person: `horizontal_scale api: changed, held by cooldown ×3`.

    Empty where no rule made anything of it.
    """
    by_action: dict[str, list[str]] = {}
    for action, target, what, times in became:
        name = f"{action} {target}".strip()
        by_action.setdefault(name, []).append(what if times == 1 else f"{what} ×{times}")
    return "; ".join(f"{name}: {', '.join(each)}" for name, each in by_action.items())


def _became_json(became: Became) -> dict[str, Any]:
    action, target, what, times = became
    return {"action": action, "target": target or None, "became": what, "times": times}


def _named(by: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {f"{action} {target}".strip(): count for (action, target), count in by.items()}


def _rows(what: str, before: Mapping[str, float], after: Mapping[str, float]) -> list[Row]:
    names = sorted({*before, *after})
    return [Row(what, name, before.get(name, 0), after.get(name, 0)) for name in names]
