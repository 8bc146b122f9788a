"""Approvals in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from service.domain.decisions.approval import APPROVED, WAITING, Approval, plan_hash
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports.approvals import Asking, Decided
from service.ports.controls import Beside


@dataclass(slots=True)
class FakeApprovals:
    """Approvals by id; `ended` is told of each run that asks. `rests` are the ends of claims."""

    ended: Callable[[str, str], None] = lambda _run, _why: None
    rows: dict[str, Asking] = field(default_factory=dict)
    tellings: set[str] = field(default_factory=set)
    rests: dict[str, float] = field(default_factory=dict)
    started: list[Request] = field(default_factory=list)

    def ask(
        self, request: Request, plan: Plan, why: str, terms: Approval, now: float
    ) -> str | None:
        known = next((each.id for each in self.rows.values() if each.run == request.id), None)
        if known is not None:
            return known
        made = f"q-{len(self.rows) + 1}"
        hash_ = plan_hash(request.target.name, plan)
        until = now + terms.wait_s
        self.rows[made] = Asking(
            made, request.id, WAITING, why, plan, hash_, terms, now, until, request
        )
        self.ended(request.id, why)
        return made

    def get(self, approval_id: str) -> Asking | None:
        return self.rows.get(approval_id)

    def waiting(self) -> list[Asking]:
        return [each for each in self.rows.values() if each.state == WAITING]

    def untold(self) -> list[Asking]:
        decided = [each for each in self.rows.values() if each.state != WAITING]
        return [each for each in decided if each.id not in self.tellings]

    def decide(
        self, approval_id: str, decided: Decided, cooldown_until: float, beside: Beside
    ) -> Asking | None:
        asking = self.rows[approval_id]
        if asking.state != WAITING:
            return None
        following = None
        if decided.state == APPROVED:
            claim, _, number = asking.run.rpartition(".")
            following = f"{claim}.{int(number) + 1}"
            changes: dict[str, Any] = {"parent": asking.run, "approved": asking.plan_hash}
            self.started.append(replace(asking.request, id=following, **changes))
        else:
            self.rests[asking.request.claim] = cooldown_until
        beside(None)
        self.rows[approval_id] = replace(
            asking,
            state=decided.state,
            decided_at=decided.at,
            decided_by=decided.by,
            decided_why=decided.why,
            next_run=following,
        )
        return self.rows[approval_id]

    def told(self, approval_id: str, now: float) -> None:
        self.tellings.add(approval_id)

    def recent(self, limit: int) -> list[dict[str, Any]]:
        return [{"id": each.id, "state": each.state} for each in reversed(self.rows.values())][
            :limit
        ]
