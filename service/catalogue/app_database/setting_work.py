"""Settings of the server that are written and read anew: the look and the steps.

Each value is absolute, so that writing it twice changes nothing. A setting that is neither as the
plan saw it nor as it is wanted is a person's, and is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from service.catalogue.app_database.settings import SETTINGS, UNSET
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.app_database import AppDatabase, Setting

READ_DEADLINE_S = 30.0
"""Seconds for the server to read its files; it does so at once where it is not stopped."""


class SettingWork:
    """The steps of `set_database` over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self) -> Record:
        """The server, its settings, and the replicas that are attached."""
        return read(self._observe, clock=self._clock, timings=self._timings)

    def _observe(self) -> Record:
        seen = self._database.settings(SETTINGS)
        return {
            "server": asdict(self._database.server()),
            "settings": {name: asdict(each) for name, each in seen.by_name.items()},
            "may_reload": seen.may_reload,
            "may_look": seen.may_look,
            "replicas": list(seen.replicas),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """set_settings, verify_settings."""
        return {"set_settings": self._set, "verify_settings": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Says how each setting was left; the server works by what it has read."""
        try:
            found = self._seen(plan)
        except VendorError as problem:
            return f"How the settings were left is not known. {problem}"
        return " ".join(_told(name, each) for name, each in found.items())

    def _set(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Write each setting that is not as it is wanted, and have the server read them.

        Each is a write of its own with an intent of its own: when the second is refused, the first
        one has been written all the same.
        """
        wanted = plan.wanted["settings"]
        found = self._unchanged(plan, list(wanted))
        for name in wanted:
            if found[name] != wanted[name]:
                self._write(context, plan, name)
        self._reload(context, plan)
        return {"set": wanted}

    def _write(self, context: StepContext, plan: Plan, name: str) -> None:
        value = plan.wanted["settings"][name]

        def look() -> Applied | Pending[None]:
            now = self._unchanged(plan, [name])[name]
            return Applied({}) if now == value else Pending(None)

        def send(_: None) -> Record:
            self._database.alter_system(name, None if value == UNSET else value)
            return {}

        write = Write("set_settings", f"setting {name}", look, send)
        apply_once(context, context.intent(f"set_{name}"), write, self._timings)

    def _reload(self, context: StepContext, plan: Plan) -> None:
        def look() -> Applied | Pending[None]:
            read_all = all(each.in_force for each in self._seen(plan).values())
            return Applied({}) if read_all else Pending(None)

        def send(_: None) -> Record:
            self._database.reload()
            return {}

        write = Write("set_settings", "reading the settings anew", look, send)
        apply_once(context, context.intent("reload"), write, self._timings)

    def _unchanged(self, plan: Plan, names: list[str]) -> dict[str, str]:
        """How these settings are written.

        Raises TargetChanged where one is neither as the plan saw it nor as it is wanted.
        """
        wanted, were, seen = plan.wanted["settings"], plan.wanted["settings_were"], self._seen(plan)
        values = {name: seen[name].set or UNSET for name in names}
        theirs = [name for name in names if values[name] not in (wanted[name], were[name])]
        if theirs:
            raise TargetChanged("set_settings", _changed(theirs, values))
        return values

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The server's file has the values, and the server works by them or waits for a restart."""
        wanted = plan.wanted["settings"]

        def look() -> dict[str, Setting] | None:
            found = self._seen(plan)
            right = all((found[name].set or UNSET) == wanted[name] for name in wanted)
            return found if right and all(each.in_force for each in found.values()) else None

        found = poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=READ_DEADLINE_S,
            late=lambda: StepFailed(
                "verify_settings",
                f"The settings were written, and the server does not work by them after "
                f"{READ_DEADLINE_S:.0f} s. Its log says why; look at pg_file_settings.",
            ),
        )
        pending = [name for name, each in found.items() if each.pending]
        if pending:
            context.progress(f"{', '.join(pending)} takes effect when the server next starts.")
        return {"now": {name: each.now for name, each in found.items()}, "pending": pending}

    def _seen(self, plan: Plan) -> dict[str, Setting]:
        names = list(plan.wanted["settings"])
        look = lambda: self._database.settings(names)  # noqa: E731 - read wants a function
        seen = read(look, clock=self._clock, timings=self._timings)
        return {name: seen.by_name[name] for name in names}


def _changed(theirs: list[str], values: Mapping[str, str]) -> str:
    named = ", ".join(f"{name} {values[name]}" for name in theirs)
    return f"Somebody has set {named} since the plan was made. It was left so."


def _told(name: str, each: Setting) -> str:
    set_to = f"set to {each.set}" if each.set else "not set by ALTER SYSTEM"
    waits = "; the rest takes effect at its next start" if each.pending else ""
    return f"{name} is {set_to}, and the server works by {each.now}{waits}."
