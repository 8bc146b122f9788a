"""Partitions that are made ahead of time, and old ones that are detached: the look and the steps.

Each partition is looked for before anything is sent for it, so whatever an execution that died has
left is gone on with: a constraint that is not proven yet, a partition that is half detached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from service.catalogue.app_database.partitions import TIMES, lacking, wanted_periods
from service.catalogue.app_database.waiting import send_and_wait
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import Pauses, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.app_database import (
    AppDatabase,
    Partition,
    Partitions,
    Running,
    Span,
    Table,
    WantedPartition,
)

TRIES = 3
"""How often a statement is sent whose earlier ones are shown to have had no effect."""


class PartitionWork:
    """The steps of `partition` over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, given: Mapping[str, Any], table: Table) -> Record:
        """How the table is partitioned, and how many rows of each partition that is missing are in
        its default one."""
        parts = self._database.partitions(table.schema, table.name)
        seen: Record = {"parts": asdict(parts), "in_default": {}}
        if parts.default is not None and parts.type in TIMES and given["column"] in parts.columns:
            for each in lacking(wanted_periods(given, parts.today), seen["parts"]):
                wanted = WantedPartition(
                    table.schema,
                    table.name,
                    table.owner,
                    given["column"],
                    parts.type,
                    each.name,
                    Span(each.lower, each.upper),
                    parts.default.schema,
                    parts.default.name,
                )
                # Once counting has taken too long, the others are not counted either.
                known = None not in seen["in_default"].values()
                count = self._database.rows_within(wanted) if known else None
                seen["in_default"][each.name] = count
        return seen

    def steps(self) -> Mapping[str, StepFunction]:
        """add_partitions, detach_partitions, verify_partitions."""
        return {
            "add_partitions": self._add,
            "detach_partitions": self._detach,
            "verify_partitions": self._verify,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """A constraint that was only there for the making refuses rows: it is taken away."""
        try:
            parts = self._seen(plan)
            left = [each for each in _wanted(plan) if each.exclusion in parts.excluded]
            for each in left:
                context.fence()
                self._database.include_again(each)
        except VendorError as problem:
            looked = "\\d+ in psql shows the constraints runbookd_excludes_… of the default one."
            return f"How the partitions were left is not known. {problem} Look by hand: {looked}"
        there = [each.name for each in _wanted(plan) if _attached(parts, each) is not None]
        halves = [each.name for each in parts.partitions if each.pending]
        said = [
            f"These partitions are there: {', '.join(there)}." if there else "None was made.",
            "The default partition takes all rows again." if left else "",
            f"Half detached: {', '.join(halves)}; ALTER TABLE … DETACH PARTITION … FINALIZE ends "
            "that."
            if halves
            else "",
        ]
        return " ".join(filter(None, said))

    def _add(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """One partition after the other, those that are not there."""
        for each in _wanted(plan):
            if each.default:
                self._exclude(context, plan, each)
                self._prove(context, plan, each)
            self._apply(
                context,
                plan,
                each,
                f"attach.{each.name}",
                partial(self._database.add_partition, each),
            )
            context.progress(f"Partition {each.name} is there.")
        return {"added": [each["name"] for each in plan.wanted["add"]]}

    def _exclude(self, context: StepContext, plan: Plan, wanted: WantedPartition) -> None:
        self._apply(
            context,
            plan,
            wanted,
            f"exclude.{wanted.name}",
            partial(self._database.exclude, wanted),
            is_done=lambda parts: wanted.exclusion in parts.excluded,
        )

    def _apply(
        self,
        context: StepContext,
        plan: Plan,
        wanted: WantedPartition,
        intent: str,
        write: Callable[[], None],
        is_done: Callable[[Partitions], bool] = lambda _: False,
    ) -> None:
        """One change of the catalog, unless a look shows it, or the partition, there."""

        def look() -> Applied | Pending[None]:
            parts = self._seen(plan)
            if self._is_there(parts, wanted) or is_done(parts):
                return Applied({})
            return Pending(None)

        def send(_: None) -> Record:
            write()
            return {}

        noted = context.intent(intent)
        sending = Write("add_partitions", f"making partition {wanted.name}", look, send)
        apply_once(context, noted, sending, self._timings)

    def _is_there(self, parts: Partitions, wanted: WantedPartition) -> bool:
        """Whether it is attached. Raises TargetChanged where its name is another table's."""
        if _attached(parts, wanted) is not None:
            return True
        if wanted.name in parts.taken:
            raise TargetChanged(
                "add_partitions",
                f"Somebody has made another {wanted.name} since the plan. It was left as it is.",
            )
        return False

    def _prove(self, context: StepContext, plan: Plan, wanted: WantedPartition) -> None:
        """Read the default partition beside its writers, so that attaching need not read it."""

        def is_done() -> bool:
            parts = self._seen(plan)
            return self._is_there(parts, wanted) or parts.excluded.get(wanted.exclusion, False)

        send = partial(self._database.prove_excluded, wanted)
        self._bring(context, "add_partitions", f"Reading {wanted.default}", is_done, send)

    def _detach(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """One after the other. Their tables and rows stay."""
        for each in plan.wanted["detach"]:
            self._detach_one(context, plan, each["schema"], each["name"])
            context.progress(f"Partition {each['name']} is detached. It is a table of its own now.")
        return {"detached": [each["name"] for each in plan.wanted["detach"]]}

    def _detach_one(self, context: StepContext, plan: Plan, schema: str, name: str) -> None:
        context.intent(f"detach.{name}")

        def found() -> Partition | None:
            all_of_them = self._seen(plan).partitions
            return next((e for e in all_of_them if (e.schema, e.name) == (schema, name)), None)

        def send() -> Running:
            table = plan.wanted["table"]
            return self._database.detach(
                table["schema"],
                table["table"],
                found() or Partition(schema, name, None, False, 0, 0),
            )

        self._bring(
            context, "detach_partitions", f"Detaching {name}", lambda: found() is None, send
        )

    def _bring(
        self,
        context: StepContext,
        step: str,
        what: str,
        is_done: Callable[[], bool],
        send: Callable[[], Running],
    ) -> None:
        """Send a long statement until a look shows its effect. A second one waits for the first."""
        last = ""
        for _ in range(TRIES):
            if is_done():
                return
            wait = partial(self._wait, context, what)
            problem = send_and_wait(send, wait, context, self._timings)
            if problem is None:
                continue
            if problem.kind is FailureKind.PERMANENT and not is_done():
                raise problem
            last = str(problem)
            context.progress(f"{problem} Looking at what it has left.")
        if not is_done():
            raise StepFailed(step, f"{what} was tried {TRIES} times without effect. {last}")

    def _wait(self, context: StepContext, what: str, running: Running) -> None:
        """Until the statement has ended. Whom it waits for is told, each once."""
        pauses, told = Pauses(context.clock, self._timings), set[int]()
        while not running.done():
            pauses.wait()
            for pid in self._blockers() - told:
                told.add(pid)
                context.progress(f"{what} waits for the transaction of pid {pid}.")

    def _blockers(self) -> set[int]:
        try:
            return set(self._database.blockers())
        except VendorError:
            return set()  # it is only told

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The catalog has each partition with its range, and none of the old ones."""
        parts = self._seen(plan)
        names = {(each.schema, each.name) for each in parts.partitions}
        lost = [each.name for each in _wanted(plan) if _attached(parts, each) is None]
        kept = [e["name"] for e in plan.wanted["detach"] if (e["schema"], e["name"]) in names]
        held = [each.exclusion for each in _wanted(plan) if each.exclusion in parts.excluded]
        if lost or kept or held:
            found = {"missing": lost, "still attached": kept, "constraints that are left": held}
            said = "; ".join(f"{word}: {', '.join(each)}" for word, each in found.items() if each)
            raise StepFailed("verify_partitions", f"The partitions are not as wanted. {said}.")
        return {"partitions": len(parts.partitions)}

    def _seen(self, plan: Plan) -> Partitions:
        table = plan.wanted["table"]
        look = partial(self._database.partitions, table["schema"], table["table"])
        found = read(look, clock=self._clock, timings=self._timings)
        if not found.strategy:
            raise TargetChanged(
                "look", f"{table['schema']}.{table['table']} is no partitioned table any more."
            )
        return found


def _wanted(plan: Plan) -> list[WantedPartition]:
    """The partitions that a plan has pinned."""
    table, default = plan.wanted["table"], plan.wanted["default"]
    return [
        WantedPartition(
            table["schema"],
            table["table"],
            table["owner"],
            plan.wanted["column"],
            plan.wanted["type"],
            each["name"],
            Span(each["lower"], each["upper"]),
            default["schema"] if default else "",
            default["name"] if default else "",
        )
        for each in plan.wanted["add"]
    ]


def _attached(parts: Partitions, wanted: WantedPartition) -> Partition | None:
    """The partition with this very range, whatever it is called."""
    same = (each for each in parts.partitions if each.span == wanted.span and not each.pending)
    return next(same, None)
