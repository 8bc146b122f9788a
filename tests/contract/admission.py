"""Admission on a real database, with what the worker does to it between two notifications."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

from service.domain.decisions.decision import Decision
from service.domain.rules.scopes import UNSTATED, Scopes
from service.ports.admission import Delivery, Gate, NewRun, Receipt
from service.store.admissions import Enqueue, SqlJournal
from service.store.ids import new_id
from service.triggers.alerts.admit import Admitter
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import GRACE_S, rules_in_force
from tests.fakes.journal import MemoryGate

_T = TypeVar("_T")


class SqlDesk:
    """Admission by the rules of `tests.fakes.alerts`; `queued` is what reached the queue.

    `gate` stands in for Redis, unless a real one is handed in; so does `enqueue` for the queue.
    """

    def __init__(
        self,
        engine: sa.Engine,
        gate: Gate | None = None,
        enqueue: Enqueue | None = None,
        journal: SqlJournal | None = None,
        scopes: Scopes = UNSTATED,
        rules: RulesInForce | None = None,
    ) -> None:
        self.engine = engine
        self.queued: list[NewRun] = []
        self._rules = rules or rules_in_force(scopes)
        self._gate = gate or MemoryGate()
        self.journal = journal or SqlJournal(engine, enqueue or self._enqueue)
        self._admitter = Admitter(
            journal=self.journal,
            gate=self._gate,
            rules=lambda: self._rules,
            new_id=new_id,
            refire_grace_s=GRACE_S,
        )

    def admit(self, *deliveries: Delivery, now: float | None = None) -> list[Receipt]:
        """One batch, decided on at `now` or when its last delivery came."""
        return self._admitter.admit(deliveries, deliveries[-1].received_at if now is None else now)

    def verdicts(self, *deliveries: Delivery, now: float | None = None) -> list[Decision]:
        """The decisions of one batch, in order."""
        receipts = self.admit(*deliveries, now=now)
        return [each.decision for receipt in receipts for each in receipt.verdicts]

    def rest(self, claim: str, until: float, reason: str = "") -> None:
        """What a worker leaves at the end of a run."""
        self.execute(
            "UPDATE cooldowns SET until = :until, reason = :reason WHERE key = :claim",
            claim=claim,
            until=until,
            reason=reason,
        )

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), values)]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - the test's own

    def execute(self, statement: str, **values: Any) -> None:
        """Change something behind admission's back."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def _enqueue(self, _connection: sa.Connection, run: NewRun) -> None:
        self.queued.append(run)


def all_at_once(calls: Sequence[Callable[[], _T]]) -> list[_T]:
    """Make all calls at the same moment, each in a thread; their results in order."""
    start = threading.Barrier(len(calls))

    def call(one: Callable[[], _T]) -> _T:
        start.wait(30)
        return one()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))
