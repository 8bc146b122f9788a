"""Approvals in SQL. Asking ends the run that asks; approving queues the next run of its claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from service.catalogue.request_json import load_request
from service.domain.decisions.approval import (
    APPROVED,
    WAITING,
    Approval,
    approval_from_json,
    plan_hash,
)
from service.domain.decisions.claims import BUSY_UNTIL, run_id
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports.admission import NewRun
from service.ports.approvals import Asking, Decided
from service.ports.controls import Beside
from service.ports.runs import Bell
from service.store import schema
from service.store.admissions import Enqueue, add_run
from service.store.claims import next_run
from service.store.database import begin_writing, translated
from service.store.decode import load
from service.store.encode import dump
from service.store.ids import new_id
from service.store.items import approval_item
from service.store.runs import refuse_cancelled

_p, _r, _c = schema.approvals.c, schema.runs.c, schema.cooldowns.c


class ApprovalStore:
    """The table of approvals."""

    def __init__(self, engine: sa.Engine, enqueue: Enqueue, bell: Bell) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._bell = bell

    def ask(
        self, request: Request, plan: Plan, why: str, terms: Approval, now: float
    ) -> str | None:
        """End the run as waiting, and ask, in one transaction; the claim stays taken.

        Raises:
            StoreConflict: a person has cancelled the run.
        """
        end = (
            sa.update(schema.runs)
            .where(_r.id == request.id, _r.ended_at.is_(None))
            .values(status=WAITING, reason=why, ended_at=now)
        )
        row = {
            "id": new_id("q"),
            "run": request.id,
            "claim": request.claim,
            "target": request.target.name,
            "state": WAITING,
            "why": why,
            "plan": dump(plan.to_json()),
            "plan_hash": plan_hash(request.target.name, plan),
            "terms": dump(terms.to_json()),
            "asked_at": now,
            "until": now + terms.wait_s,
        }
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(end).rowcount == 0:
                known = sa.select(_p.id).where(_p.run == request.id)
                found: str | None = connection.execute(known).scalar_one_or_none()
                return found
            refuse_cancelled(connection, request.id)
            connection.execute(sa.insert(schema.approvals), row)
        return str(row["id"])

    def get(self, approval_id: str) -> Asking | None:
        """One of them."""
        found = self._read(_p.id == approval_id)
        return found[0] if found else None

    def waiting(self) -> list[Asking]:
        """Those that wait, the oldest first."""
        return self._read(_p.told.is_(None), _p.state == WAITING)

    def untold(self) -> list[Asking]:
        """Those that are decided, and whose message does not say so yet."""
        return self._read(_p.told.is_(None), _p.state != WAITING)

    def decide(
        self, approval_id: str, decided: Decided, cooldown_until: float, beside: Beside
    ) -> Asking | None:
        """Decide what waits; None when somebody was quicker."""
        take = (
            sa.update(schema.approvals)
            .where(_p.id == approval_id, _p.state == WAITING)
            .values(
                state=decided.state,
                decided_at=decided.at,
                decided_by=decided.by,
                decided_why=decided.why,
            )
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(take).rowcount == 0:
                return None
            asking = _read(connection, _p.id == approval_id)[0]
            if decided.state == APPROVED:
                asking = self._start(connection, asking, decided.at)
            else:
                rest = sa.update(schema.cooldowns).where(_c.run == asking.run)
                connection.execute(rest.values(until=cooldown_until, reason=_said(decided)))
            ended = sa.update(schema.runs).where(_r.id == asking.run)
            connection.execute(ended.values(status="held", reason=_said(decided)))
            beside(connection)
        if decided.state == APPROVED:
            self._bell.committed()
        return asking

    def told(self, approval_id: str, now: float) -> None:
        """Note that its message says how it was decided."""
        self._update(approval_id, told=now)

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """The newest, for people."""
        query = sa.select(schema.approvals).order_by(_p.id.desc()).limit(limit)
        with translated(), self._engine.connect() as connection:
            return [approval_item(row) for row in connection.execute(query).mappings()]

    def _start(self, connection: sa.Connection, asking: Asking, now: float) -> Asking:
        """The next run of the claim, which the approval has kept."""
        following = _next_of(connection, asking)
        request = replace(
            asking.request, id=following, parent=asking.run, approved=asking.plan_hash
        )
        partition = sa.select(_r.resource).where(_r.id == asking.run)
        run = NewRun(request, str(connection.execute(partition).scalar_one()), now)
        add_run(connection, run)
        self._enqueue(connection, run)
        note = sa.update(schema.approvals).where(_p.id == asking.id)
        connection.execute(note.values(next_run=following))
        return replace(asking, next_run=following)

    def _read(self, *wanted: sa.ColumnElement[bool]) -> list[Asking]:
        with translated(), self._engine.connect() as connection:
            return _read(connection, *wanted)

    def _update(self, approval_id: str, **values: Any) -> None:
        statement = sa.update(schema.approvals).where(_p.id == approval_id).values(**values)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(statement)


def _next_of(connection: sa.Connection, asking: Asking) -> str:
    """The id of the run that an approval starts; it has the claim from now on."""
    claim = asking.request.claim
    if not asking.request.origin.shares_its_claim:
        return next_run(connection, claim)
    query = sa.select(_c.generation).where(_c.key == claim, _c.run == asking.run)
    generation = int(connection.execute(query).scalar_one()) + 1
    following = run_id(claim, generation)
    taken = {"generation": generation, "run": following, "until": BUSY_UNTIL, "reason": ""}
    connection.execute(sa.update(schema.cooldowns).where(_c.key == claim).values(**taken))
    return following


def _read(connection: sa.Connection, *wanted: sa.ColumnElement[bool]) -> list[Asking]:
    query = (
        sa.select(schema.approvals, _r.ask)
        .join(schema.runs, _r.id == _p.run)
        .where(*wanted)
        .order_by(_p.id)
    )
    return [_asking(row) for row in connection.execute(query).mappings()]


def _asking(row: sa.RowMapping) -> Asking:
    return Asking(
        id=row["id"],
        run=row["run"],
        state=row["state"],
        why=row["why"],
        plan=Plan.from_json(load(row["plan"])),
        plan_hash=row["plan_hash"],
        terms=approval_from_json(load(row["terms"])),
        asked_at=row["asked_at"],
        until=row["until"],
        request=load_request(load(row["ask"])),
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        decided_why=row["decided_why"],
        next_run=row["next_run"],
    )


def _said(decided: Decided) -> str:
    because = f": {decided.why}" if decided.why else ""
    return f"{decided.state.replace('_', ' ')} by {decided.by}{because}"
