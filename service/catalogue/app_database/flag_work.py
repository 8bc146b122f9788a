"""Feature flags that are set, all of a run's in one transaction: the look and the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from service.catalogue.app_database.target import AppDatabaseTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.app_database import AppDatabase, FlagPlace, NoTable


class FlagWork:
    """The steps of `set_flags` over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: AppDatabaseTarget) -> Record:
        """The server, and every flag that the target names."""
        return read(lambda: self._observe(target), clock=self._clock, timings=self._timings)

    def _observe(self, target: AppDatabaseTarget) -> Record:
        server = asdict(self._database.server())
        if not target.flag_names:
            return {"server": server, "flags": None}
        seen = self._database.flags(_place(target), target.flag_names)
        if isinstance(seen, NoTable):
            return {"server": server, "flags": None, "close": list(seen.close)}
        return {"server": server, "flags": asdict(seen)}

    def steps(self) -> Mapping[str, StepFunction]:
        """set_flags, verify_flags."""
        return {"set_flags": self._set, "verify_flags": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """They are set all together, so there is never half of it: only how they are is told."""
        try:
            found = self._values(plan)
        except VendorError as problem:
            return f"How the flags were left is not known. {problem}"
        return f"The flags are: {_told(found)}."

    def _set(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Set those that are still what they were when the plan was made."""
        was, to = plan.wanted["was"], plan.wanted["to"]
        intent = context.intent("set_flags")

        def look() -> Applied | Pending[None]:
            found = self._values(plan)
            if found == to:
                return Applied({"set": to})
            if found != was:
                raise _changed(found)
            return Pending(None)

        def send(_: None) -> Record:
            if not self._database.set_flags(_place_of(plan), was, to):
                raise _changed(self._values(plan))
            return {"set": to}

        write = Write("set_flags", "setting flags", look, send)
        return apply_once(context, intent, write, self._timings)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The table has the values."""
        found = self._values(plan)
        if found != plan.wanted["to"]:
            raise StepFailed(
                "verify_flags",
                f"The flags were set, and the table has {_told(found)}. Somebody, or a trigger of "
                "the table, has changed them since.",
            )
        return {"flags": found}

    def _values(self, plan: Plan) -> dict[str, bool | None]:
        """The flags of the plan as they are now; None for one that has no value."""
        names = list(plan.wanted["to"])
        look = lambda: self._database.flags(_place_of(plan), names)  # noqa: E731 - read wants a function
        seen = read(look, clock=self._clock, timings=self._timings)
        values = {} if isinstance(seen, NoTable) else seen.values
        return {name: values.get(name) for name in names}


def _place(target: AppDatabaseTarget) -> FlagPlace:
    return FlagPlace(target.flag_table, target.flag_key, target.flag_value)


def _place_of(plan: Plan) -> FlagPlace:
    return FlagPlace(**plan.wanted["place"])


def _changed(found: Mapping[str, bool | None]) -> TargetChanged:
    return TargetChanged(
        "set_flags",
        f"Somebody has changed the flags since the plan was made: {_told(found)}. None was set.",
    )


def _told(found: Mapping[str, bool | None]) -> str:
    words = {True: "on", False: "off", None: "without a value"}
    return ", ".join(f"{name} {words[value]}" for name, value in found.items())
