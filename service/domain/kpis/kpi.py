"""A KPI with its target, its threshold and its error budget, and how it goes with other alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.domain.findings import Finding

WINDOW_DAYS = 30
"""Over how long an error budget counts."""
_LIMIT = re.compile(r"(>=|<=|>|<)\s*(?:bool\s+)?([0-9]+(?:\.[0-9]+)?)\s*\Z")


@dataclass(frozen=True, slots=True)
class Compared:
    """How the limit of an alert is read in the KPI's unit: `times` a factor, or `not_because`."""

    times: float | None = None
    not_because: str = ""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One indicator.

    `value` is a PromQL expression of its present value in `unit`; `target` and `alert` are limits
    of it, and `higher` is whether more is better. `alert` is None where nobody is alerted. `good`
    and `total` are expressions of events, or of moments, as they are now: of 1,000 of them over 30
    days, `objective` × 1,000 have to be good. `alerts` are other alerts about the same reading.
    `line` is where it stands in its file.
    """

    name: str
    what: str
    unit: str
    value: str
    good: str
    total: str
    objective: float
    target: float
    alert: float | None
    for_: str
    higher: bool
    signal: str
    severity: str
    alerts: Mapping[str, Compared]
    line: int = 1

    @property
    def sign(self) -> str:
        """How a value that misses the limit compares with it."""
        return "<" if self.higher else ">"

    def misses(self, value: float, limit: float) -> bool:
        """Whether a value is on the wrong side of a limit. The limit itself is met."""
        return value < limit if self.higher else value > limit

    def shown(self, value: float) -> str:
        """A value with its unit, as a person reads it."""
        return f"{value:.5g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a KPI stands. `value`, and `ratio` (of good ones in 30 days), are None without data."""

    kpi: Kpi
    value: float | None
    ratio: float | None

    @property
    def verdict(self) -> str:
        """How the present value compares with its limits. No data is no success."""
        if self.value is None:
            return "no data"
        if self.kpi.alert is not None and self.kpi.misses(self.value, self.kpi.alert):
            return "alert"
        return "missed" if self.kpi.misses(self.value, self.kpi.target) else "met"

    @property
    def budget_left(self) -> float | None:
        """What is left of the error budget: 1 is all of it, below 0 it is overdrawn."""
        if self.ratio is None:
            return None
        return 1 - (1 - self.ratio) / (1 - self.kpi.objective)

    @property
    def minutes_left(self) -> float | None:
        """The same, as minutes in which everything fails; 0 where it is overdrawn."""
        if self.budget_left is None:
            return None
        return max(0.0, self.budget_left) * (1 - self.kpi.objective) * WINDOW_DAYS * 24 * 60


def contradictions(kpis: Sequence[Kpi], alerts: Mapping[str, str]) -> Iterator[Finding]:
    """Where a KPI and other alerts about its reading name different numbers.

    `alerts` are the expressions of alerts by their names.
    """
    for kpi in kpis:
        for name, compared in kpi.alerts.items():
            if sentence := _contradiction(kpi, name, compared, alerts.get(name)):
                yield Finding(kpi.line, kpi.name, sentence)


def _contradiction(kpi: Kpi, name: str, compared: Compared, expression: str | None) -> str:
    if expression is None:
        return f"it names the alert {name!r}, and there is none."
    if compared.times is None:
        return f"alert {name!r} ({expression}) cannot be compared with it: {compared.not_because}."
    found = _LIMIT.search(expression)
    if found is None:
        return f"alert {name!r} ({expression}) does not end with a limit to compare with."
    limit, above = round(float(found[2]) * compared.times, 9), ">" in found[1]
    differs = _differs(kpi, limit, above=above)
    fires = f"alert {name!r} fires {'above' if above else 'below'} {kpi.shown(limit)}"
    return f"{fires}, {differs}." if differs else ""


def _differs(kpi: Kpi, limit: float, *, above: bool) -> str:
    """How another alert's limit differs from the KPI's; empty where it does not."""
    target = kpi.shown(kpi.target)
    if above == kpi.higher:
        return f"and the KPI's target is {target} or {'more' if kpi.higher else 'less'}"
    if kpi.alert is None or limit == kpi.alert:
        return ""
    own = f"the KPI's own alert {'below' if kpi.higher else 'above'} {kpi.shown(kpi.alert)}"
    if kpi.misses(limit, kpi.alert):
        return f"which is later than {own}"
    if limit == kpi.target or kpi.misses(limit, kpi.target):
        return f"which is earlier than {own}"
    return f"although the KPI's target of {target} is met then, and {own}"
