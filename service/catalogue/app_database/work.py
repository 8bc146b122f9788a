"""What is done to the application's database, over its port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from service.catalogue.app_database.archive_work import ArchiveWork
from service.catalogue.app_database.flag_work import FlagWork
from service.catalogue.app_database.sessions import IDLE, shown
from service.catalogue.app_database.setting_work import SettingWork
from service.catalogue.app_database.statements import is_plain, verbs
from service.catalogue.app_database.target import (
    ARCHIVE,
    OPTIMIZE,
    SET_DATABASE,
    SET_FLAGS,
    AppDatabaseTarget,
)
from service.catalogue.app_database.upkeep_work import Upkeep
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, VendorError
from service.ports.app_database import Activity, AppDatabase, Session
from service.ports.app_database import Work as Doing

CANCEL_GRACE_S = 5.0
"""Seconds that a cancelled query has to end before its session is ended."""
END_DEADLINE_S = 30.0
"""Seconds for a session to be gone. One that waits for the disk may take that long."""


class DatabaseWork:
    """The steps of every action on the database, over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._upkeep = Upkeep(database, tools)
        self._archive = ArchiveWork(database, tools)
        self._flags = FlagWork(database, tools)
        self._settings = SettingWork(database, tools)
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: AppDatabaseTarget) -> Record:
        """What a person may change past runbookd: the flags that the target names."""
        return self._flags.observe(target)

    def observe_for(self, request: Request) -> Record:
        """What the action needs to know: the flags, one table, or what each busy session does. No
        query's text is kept."""
        target = request.target
        if not isinstance(target, AppDatabaseTarget):
            raise TypeError(f"{target.name} is no database of the application")
        if request.action == OPTIMIZE:
            return self._upkeep.observe(request)
        if request.action == ARCHIVE:
            return self._archive.observe(request)
        if request.action == SET_FLAGS:
            return self._flags.observe(target)
        if request.action == SET_DATABASE:
            return self._settings.observe()
        return observed(read(self._database.activity, clock=self._clock, timings=self._timings))

    def steps(self) -> Mapping[str, StepFunction]:
        """cancel, terminate, verify; those of upkeep, archiving, flags and settings."""
        own = {"cancel": self._cancel, "terminate": self._terminate, "verify": self._verify}
        others = (self._upkeep, self._archive, self._flags, self._settings)
        return {**own, **{name: step for part in others for name, step in part.steps().items()}}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says which sessions go on; one that was ended cannot be brought back. An index that is
        invalid is dropped."""
        for key, made_safe in (
            ("settings", self._settings.make_safe),
            ("archive", self._archive.make_safe),
            ("place", self._flags.make_safe),
        ):
            if key in plan.wanted:
                return made_safe(context, plan)
        if "running" not in plan.wanted:
            return self._upkeep.make_safe(context, plan)
        try:
            left = self._going_on(plan, "running", "idle")
        except VendorError as problem:
            return f"Whether the sessions still go on is not known. {problem}"
        if not left:
            return "All sessions of the plan have ended."
        return f"These go on: {'; '.join(map(shown, left))}."

    def _going_on(self, plan: Plan, *which: str) -> list[dict[str, Any]]:
        """The sessions of the plan that still do the very same work."""
        planned = [each for name in which for each in plan.wanted[name]]
        works = {_doing(each): each for each in planned}
        going = self._database.going_on(list(works)) if works else []
        return [works[each] for each in going]

    def _cancel(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Cancel the queries. Their sessions stay, and their clients see an error."""
        if not plan.wanted["running"]:
            return {"told": []}
        intent = context.intent("cancel")

        def look() -> Applied | Pending[Sequence[Doing]]:
            going = self._going_on(plan, "running")
            return Pending([_doing(each) for each in going]) if going else Applied({"told": []})

        def send(works: Sequence[Doing]) -> Record:
            return {"told": list(self._database.cancel(works))}

        write = Write("cancel", "cancelling queries", look, send)
        return apply_once(context, intent, write, self._timings)

    def _terminate(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """End the sessions whose query goes on all the same, and those that are idle in a
        transaction: of these, there is no query to cancel."""
        self._wait_for_cancelled(context, plan)
        if not self._left(plan):
            return {"told": []}
        intent = context.intent("terminate")

        def look() -> Applied | Pending[Sequence[Doing]]:
            going = self._left(plan)
            return Pending([_doing(each) for each in going]) if going else Applied({"told": []})

        def send(works: Sequence[Doing]) -> Record:
            told = list(self._database.terminate(works))
            context.progress(f"Ended the sessions that went on: pid {', '.join(map(str, told))}.")
            return {"told": told}

        write = Write("terminate", "ending sessions", look, send)
        return apply_once(context, intent, write, self._timings)

    def _left(self, plan: Plan) -> list[dict[str, Any]]:
        going = lambda: self._going_on(plan, "running", "idle")  # noqa: E731 - read wants a function
        return read(going, clock=self._clock, timings=self._timings)

    def _wait_for_cancelled(self, context: StepContext, plan: Plan) -> None:
        """Until no cancelled query goes on, or their time is over."""
        until = context.clock.monotonic() + CANCEL_GRACE_S

        def look() -> bool | None:
            over = context.clock.monotonic() >= until
            return True if over or not self._going_on(plan, "running") else None

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=CANCEL_GRACE_S,
            late=lambda: StepFailed(
                "terminate", "Whether the cancelled queries have ended could not be seen."
            ),
        )

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """None of the sessions does what it did."""
        left: list[dict[str, Any]] = []

        def look() -> bool | None:
            left[:] = self._going_on(plan, "running", "idle")
            return None if left else True

        poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=END_DEADLINE_S,
            late=lambda: StepFailed(
                "verify",
                f"These were told to end and go on after {END_DEADLINE_S:.0f} s: "
                f"{'; '.join(map(shown, left))}. A session that waits for the disk or the network "
                "ends when that answers. Look at the server.",
            ),
        )
        return {"ended": len(plan.wanted["running"]) + len(plan.wanted["idle"])}


def _doing(each: Mapping[str, Any]) -> Doing:
    return Doing(each["pid"], each["began"], each["since"], each["state"] in IDLE)


def observed(seen: Activity) -> Record:
    """What was seen, as plain JSON. Of a query's text only its kind and its digest are left,
    because a text may hold what the application's users wrote."""
    return {
        "server": asdict(seen.server),
        "roles": [asdict(each) for each in seen.roles],
        "sessions": [_session(each) for each in seen.sessions],
    }


def _session(each: Session) -> dict[str, Any]:
    found = asdict(each)
    text = found.pop("text")
    return {**found, "plain": is_plain(text), "verb": next(iter(verbs(text)), "?")}
