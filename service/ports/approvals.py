"""Plans that wait for a person, on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from service.domain.decisions.approval import Approval
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports.controls import Beside


@dataclass(frozen=True, slots=True)
class Asking:
    """One approval on record. Times are in seconds since the epoch.

    `run` is the run that asked, `request` what it pins, `why` why it is asked. `state` is one of
    `approval.STATES`. `next_run` is the run that an approval has started.
    """

    id: str
    run: str
    state: str
    why: str
    plan: Plan
    plan_hash: str
    terms: Approval
    asked_at: float
    until: float
    request: Request
    decided_at: float | None = None
    decided_by: str | None = None
    decided_why: str | None = None
    next_run: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """How an approval is decided: its new state, by whom and why."""

    state: str
    by: str
    why: str
    at: float


class Approvals(Protocol):
    """The record of approvals. Every method raises StoreUnavailable."""

    def ask(
        self, request: Request, plan: Plan, why: str, terms: Approval, now: float
    ) -> str | None:
        """End the run of this request as waiting, and ask; the approval's id.

        The claim stays taken. None when the run had ended before; asking twice asks once. Raises
        StoreConflict where a person has cancelled the run.
        """
        ...

    def get(self, approval_id: str) -> Asking | None:
        """One of them."""
        ...

    def waiting(self) -> list[Asking]:
        """Those that wait, the oldest first."""
        ...

    def untold(self) -> list[Asking]:
        """Those that are decided, and whose message does not say so yet."""
        ...

    def decide(
        self, approval_id: str, decided: Decided, cooldown_until: float, beside: Beside
    ) -> Asking | None:
        """Decide what waits; None when somebody was quicker.

        Approved: the next run of the claim is queued, in the same transaction. Otherwise the claim
        rests until `cooldown_until`.
        """
        ...

    def told(self, approval_id: str, now: float) -> None:
        """Note that its message says how it was decided."""
        ...

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """The newest, for people."""
        ...
