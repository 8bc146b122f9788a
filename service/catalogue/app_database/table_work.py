"""Indexes that are rebuilt, tables that are vacuumed, queries that are explained: the steps.

A rebuild makes a copy of each index and swaps the two, so the index has another number (oid) after
it. That is the proof: an index that still has the number of the plan has not been rebuilt. What an
interrupted one leaves is an invalid copy, which is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.catalogue.app_database.upkeep import COPY
from service.catalogue.app_database.waiting import Telling, send_and_wait, wait_for
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.polling import Pauses, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.app_database import (
    AppDatabase,
    Condition,
    Index,
    NoTable,
    Running,
    Table,
)

TRIES = 3
"""How often a statement is sent whose earlier ones are shown to have had no effect."""


class TableWork:
    """The steps of reindex, vacuum and explain over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def steps(self) -> Mapping[str, StepFunction]:
        """rebuild_indexes, verify_rebuilt, vacuum, verify_vacuum, explain."""
        return {
            "rebuild_indexes": self._rebuild,
            "verify_rebuilt": self._verify_rebuilt,
            "vacuum": self._vacuum,
            "verify_vacuum": self._verify_vacuum,
            "explain": self._explain,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Drops the copies that a rebuild has left: each write maintains them."""
        if "indexes" not in plan.wanted:
            return "There was nothing to make safe: the table serves as before."
        try:
            if self._database.progress(*_place(plan)) is not None:
                return "PostgreSQL goes on rebuilding an index of the table; it was left to it."
            copies = self._copies(plan)
            for each in copies:
                context.fence()
                self._wait(context, plan, self._database.drop_index(_place(plan)[0], each.name))
        except VendorError as problem:
            return f"Whether invalid copies of indexes were left is not known. {problem}"
        dropped = ", ".join(each.name for each in copies)
        left = f"Invalid copies were left and dropped: {dropped}." if dropped else ""
        return f"Each index of the table serves, as before or rebuilt. {left}".rstrip()

    def _rebuild(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """One index after the other, those that still have the number of the plan."""
        unsure = context.intent("rebuild_indexes").repeated
        schema, _ = _place(plan)
        sent = 0
        for name, number in _pinned(plan):
            is_new = partial(self._is_new, plan, name, number)
            send = partial(self._database.rebuild, schema, name)
            sent += self._bring(context, plan, Sending("rebuild_indexes", is_new, send, unsure))
            unsure = unsure or sent > 0
        self._drop_copies(context, plan)
        return {"rebuilt": [name for name, _ in _pinned(plan)], "sent": sent}

    def _verify_rebuilt(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Each index has another number, is valid, and no copy is left."""
        for name, number in _pinned(plan):
            if not self._is_new(plan, name, number):
                raise StepFailed("verify_rebuilt", f"Index {name} was not rebuilt. Look at it.")
        left = [each.name for each in self._seen(plan) if not each.valid]
        if left:
            raise StepFailed("verify_rebuilt", f"Invalid indexes are left: {', '.join(left)}.")
        return {"rebuilt": len(plan.wanted["indexes"])}

    def _vacuum(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Vacuum, unless the server says that it was done since the plan."""
        unsure = context.intent("vacuum").repeated
        schema, table = _place(plan)
        send = partial(self._database.vacuum, schema, table, analyze=plan.wanted["analyze"])
        is_done = partial(self._is_vacuumed, plan)
        return {"sent": self._bring(context, plan, Sending("vacuum", is_done, send, unsure))}

    def _verify_vacuum(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The server's own word that it was vacuumed since the plan."""
        table = self._table(plan)
        if table.vacuumed == plan.wanted["vacuumed"]:
            raise StepFailed(
                "verify_vacuum",
                f"PostgreSQL does not say that {table.schema}.{table.name} was vacuumed. It may "
                "lack the right to; look at the server's log.",
            )
        return {"vacuumed": table.vacuumed, "rows": table.rows, "bytes": table.bytes}

    def _explain(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Ask for the plan of the query and tell it."""
        where = [Condition(**each) for each in plan.wanted["where"]]
        found = read(
            lambda: self._database.explain(*_place(plan), where),
            clock=self._clock,
            timings=self._timings,
        )
        nodes = [_node(each) for each in _walked(found)]
        cost, rows = float(found["Total Cost"]), int(found["Plan Rows"])
        said = f"{' ← '.join(nodes)}: cost {cost:,.0f}, about {rows:,} rows"
        context.progress(f"{said}.")
        return {"plan": said, "nodes": nodes, "cost": cost, "rows": rows}

    def _bring(self, context: StepContext, plan: Plan, sending: Sending) -> int:
        """Send a statement until a look shows its effect; how often it was sent."""
        tries, last = 0, ""
        while True:
            self._wait_until_quiet(context, plan)
            if sending.is_done():
                return tries
            if tries == TRIES:
                raise StepFailed(sending.step, f"It was sent {TRIES} times without effect. {last}")
            self._drop_copies(context, plan)
            first = tries == 0 and not sending.unsure
            wait = partial(self._wait, context, plan)
            try:
                problem = send_and_wait(sending.send, wait, context, self._timings)
            except VendorError:
                if first:
                    context.withdraw(sending.step)
                raise
            tries += 1
            if problem is None:
                continue
            if problem.kind is FailureKind.PERMANENT:
                if first:
                    context.withdraw(sending.step)
                raise problem
            last = str(problem)
            context.progress(f"{problem} Looking at what it has left.")

    def _wait_until_quiet(self, context: StepContext, plan: Plan) -> None:
        """A statement of an execution that died goes on at the server, and is waited for."""
        pauses = Pauses(context.clock, self._timings)
        telling = self._telling(context, plan)
        while telling.tell() or self._table(plan).vacuuming:
            pauses.wait()

    def _wait(self, context: StepContext, plan: Plan, running: Running) -> None:
        wait_for(running, self._telling(context, plan), context, self._timings)

    def _telling(self, context: StepContext, plan: Plan) -> Telling:
        place = _place(plan)
        return Telling(context, self._database, f"Table {'.'.join(place)}", place)

    def _seen(self, plan: Plan) -> Sequence[Index]:
        look = lambda: self._database.indexes(*_place(plan))  # noqa: E731 - read wants a function
        return read(look, clock=self._clock, timings=self._timings)

    def _is_new(self, plan: Plan, name: str, number: int) -> bool:
        found = next((each for each in self._seen(plan) if each.name == name), None)
        if found is None:
            raise TargetChanged(
                "rebuild_indexes", f"Somebody has dropped index {name} since the plan was made."
            )
        return found.valid and bool(found.number != number)

    def _copies(self, plan: Plan) -> list[Index]:
        """What an interrupted rebuild has left of the plan's indexes."""
        if "indexes" not in plan.wanted:
            return []
        names = {name for name, _ in _pinned(plan)}
        return [
            each
            for each in self._seen(plan)
            if not each.valid and each.builder is None and COPY.sub("", each.name) in names
            if COPY.search(each.name)
        ]

    def _drop_copies(self, context: StepContext, plan: Plan) -> None:
        for each in self._copies(plan):
            context.progress(f"A rebuild has left the invalid copy {each.name}; it is dropped.")
            context.fence()
            self._wait(context, plan, self._database.drop_index(_place(plan)[0], each.name))

    def _is_vacuumed(self, plan: Plan) -> bool:
        return bool(self._table(plan).vacuumed != plan.wanted["vacuumed"])

    def _table(self, plan: Plan) -> Table:
        schema, name = _place(plan)
        look = lambda: self._database.table(f"{schema}.{name}")  # noqa: E731 - read wants a function
        found = read(look, clock=self._clock, timings=self._timings)
        if isinstance(found, NoTable):
            raise TargetChanged("look", f"Somebody has dropped table {schema}.{name} meanwhile.")
        return found


@dataclass(frozen=True, slots=True)
class Sending:
    """A statement, and the look that shows its effect. `unsure` is whether one may be sent."""

    step: str
    is_done: Callable[[], bool]
    send: Callable[[], Running]
    unsure: bool


def _place(plan: Plan) -> tuple[str, str]:
    table = plan.wanted["table"]
    return table["schema"], table["table"]


def _pinned(plan: Plan) -> list[tuple[str, int]]:
    return [(each["name"], each["number"]) for each in plan.wanted["indexes"]]


def _walked(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node of a plan and those below it."""
    yield node
    for below in node.get("Plans", ()):
        yield from _walked(below)


def _node(node: Mapping[str, Any]) -> str:
    """`Index Scan by idx_questions_topic`, `Seq Scan on questions`."""
    by = f" by {node['Index Name']}" if "Index Name" in node else ""
    on = f" on {node['Relation Name']}" if "Relation Name" in node and not by else ""
    return f"{node['Node Type']}{by}{on}"
