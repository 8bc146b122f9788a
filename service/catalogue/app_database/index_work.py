"""Indexes that are built while the application reads and writes: the steps.

A build that is interrupted leaves an invalid index, which every write still maintains and no query
uses; and `IF NOT EXISTS` then calls it done. So each step looks first: an invalid one of the wanted
definition that nobody builds is dropped and built anew, one that is being built is waited for, and
one of another definition is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

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
    IndexState,
    Running,
    WantedIndex,
)

TRIES = 3
"""How often a build is sent whose earlier ones left no valid index."""


class IndexWork:
    """The steps that build an index, over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def steps(self) -> Mapping[str, StepFunction]:
        """build_index, verify_index."""
        return {"build_index": self._build, "verify_index": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """An invalid index costs each write and serves no query: it is dropped, if it is ours."""
        wanted = wanted_of(plan)
        try:
            state = self._database.index(wanted)
            if state.found is None:
                return f"There is no index {wanted.name}; {wanted.table} is as it was."
            if state.found.valid or not state.same:
                return f"Index {wanted.name} is there and was left as it is."
            if state.found.builder is not None:
                return f"PostgreSQL goes on building index {wanted.name}; it was left to it."
            context.fence()
            self._wait(context, wanted, self._database.drop_index(wanted.schema, wanted.name))
        except VendorError as problem:
            return (
                f"Whether index {wanted.name} was left invalid is not known. {problem} Look at it "
                f'by hand: \\d {wanted.table} in psql shows "INVALID".'
            )
        return f"Index {wanted.name} was left invalid by the build, and was dropped."

    def _build(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        wanted, last = wanted_of(plan), ""
        intent = context.intent("build_index")
        sent = intent.repeated
        built = 0
        while True:
            state = self._seen(context, wanted)
            if state.found is not None and not state.same:
                raise TargetChanged(
                    "build_index",
                    f"Somebody has made another index {wanted.name} meanwhile: "
                    f"{state.found.definition}. It was left as it is.",
                )
            if state.found is not None and state.found.valid:
                return {"index": wanted.name, "built": built}
            if built == TRIES:
                raise StepFailed(
                    "build_index",
                    f"Index {wanted.name} was built {TRIES} times and is not valid. {last}",
                )
            if state.found is not None:
                context.progress(f"Index {wanted.name} was left invalid; it is dropped first.")
                last = self._send(context, wanted, self._database.drop_index, sent=sent)
            else:
                built += 1
                last = self._send(context, wanted, None, sent=sent)
            sent = True

    def _seen(self, context: StepContext, wanted: WantedIndex) -> IndexState:
        """The index, once nobody builds it: a build of an execution that died goes on."""
        pauses = Pauses(context.clock, self._timings)
        telling = self._telling(context, wanted)
        while True:
            state = read(
                lambda: self._database.index(wanted), clock=context.clock, timings=self._timings
            )
            if state.found is None or state.found.builder is None:
                return state
            telling.tell()
            pauses.wait()

    def _send(
        self,
        context: StepContext,
        wanted: WantedIndex,
        drop: Callable[[str, str], Running] | None,
        *,
        sent: bool,
    ) -> str:
        """Send one statement and wait for its end; what went wrong, where a look decides on it.

        Raises VendorError where the server has refused it, or could not be reached at all.
        """

        def send() -> Running:
            if drop is None:
                return self._database.build(wanted)
            return drop(wanted.schema, wanted.name)

        wait = partial(self._wait, context, wanted)
        try:
            problem = send_and_wait(send, wait, context, self._timings)
        except VendorError:
            if not sent:
                context.withdraw("build_index")
            raise
        if problem is None:
            return ""
        if problem.kind is FailureKind.PERMANENT:
            if not sent and self._database.index(wanted).found is None:
                context.withdraw("build_index")
            raise problem
        context.progress(f"{problem} Looking at what it has left.")
        return str(problem)

    def _wait(self, context: StepContext, wanted: WantedIndex, running: Running) -> None:
        wait_for(running, self._telling(context, wanted), context, self._timings)

    def _telling(self, context: StepContext, wanted: WantedIndex) -> Telling:
        place = (wanted.schema, wanted.table)
        return Telling(context, self._database, f"Index {wanted.name}", place)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The catalog calls it valid, and its definition is the wanted one."""
        wanted = wanted_of(plan)
        state = read(lambda: self._database.index(wanted), clock=self._clock, timings=self._timings)
        if state.found is None or not state.found.valid or not state.same:
            is_now = "gone" if state.found is None else f"not as wanted: {state.found.definition}"
            raise StepFailed("verify_index", f"Index {wanted.name} was built and is {is_now}.")
        return {"index": wanted.name, "definition": state.found.definition}


def wanted_of(plan: Plan) -> WantedIndex:
    """The index that a plan has pinned."""
    given = plan.wanted["index"]
    return wanted_index(given, given["schema"], given["table"])


def wanted_index(given: Mapping[str, Any], schema: str, table: str) -> WantedIndex:
    """The index that options with a `name` ask for."""
    where = [Condition(each["column"], each["op"], each["value"]) for each in given["where"]]
    return WantedIndex(schema, table, given["name"], given["columns"], where, given["unique"])
