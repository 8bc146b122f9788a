"""What became of verified changes that alerts asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from service.domain.decisions.expected import Judged, Sequel
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of them: the run's request and plan, what is known of it, and its alerts.

    `asked_at` is when the first of the alerts began, in seconds since the epoch. `alerts` are the
    ids of the episodes that asked, `sequels` how it went on with each of them.
    """

    run: str
    request: Request
    plan: Plan | None
    asked_at: float
    judged: Judged
    alerts: tuple[str, ...]
    sequels: tuple[Sequel, ...]


class Outcomes(Protocol):
    """The record of them. A run's end writes it (`service.ports.runs.Runs.conclude`). Every method
    raises StoreUnavailable."""

    def take(self, now: float, again_s: float, limit: int) -> list[Outcome]:
        """Reserve what is to be looked at for `again_s` seconds, the longest waiting first: of
        several workers one looks."""
        ...

    def keep(self, run: str, judged: Judged, now: float) -> bool:
        """Keep what was seen. False where another worker has judged it before; then nothing is
        changed. One that has cleared ends the row of those without effect before it. Alerts that
        were held because of that row are then judged again. Below its slo the rule is demoted."""
        ...

    def in_vain(self, rule: str, target: str, direction: str) -> list[Outcome]:
        """The changes that count as without effect in a row now, and of which an alert fires,
        oldest first."""
        ...
