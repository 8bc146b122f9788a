"""The table of commands. A command's module is imported when it is used.

So `--help` and `check` answer at once: they do not load the vendors' SDKs.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from service.cli.plain import take_plainly

RUN = "Run it"
LOOK = "Look and explain"
ACT = "Take charge"
CARE = "Set up and check"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its line in the overview, and its panel there."""

    summary: str
    panel: str
    module: str = ""
    """The module that holds it with others of its kind (in `APPS`). Empty: the module of its own
    name."""


ENTRIES = {
    "dev": Entry("All of it in one terminal, with a sandbox cloud: start here.", RUN),
    "web": Entry("The web process: takes alerts, answers questions.", RUN),
    "worker": Entry("A worker: executes runs at the vendors.", RUN),
    "sandbox": Entry("The stand-in cloud that the vendors' SDKs talk to.", RUN),
    "status": Entry("What is now: each target, its cooldowns, what is under way.", LOOK),
    "runs": Entry("What was done: recent runs, or one with its steps.", LOOK),
    "alerts": Entry("The alerts that came, newest first.", LOOK),
    "tail": Entry("What comes, as it comes: alerts, decisions, runs.", LOOK),
    "quarantine": Entry("Alerts that could not be read, each with the reason.", LOOK),
    "readings": Entry("What was measured: by the day, or by the hour.", LOOK),
    "capacity": Entry("What the months ahead need and cost, and what is passed first.", LOOK),
    "explain": Entry("Why: each rule and guard that an alert met.", LOOK),
    "replay": Entry("What would be decided now about alerts of the past.", LOOK),
    "backtest": Entry("What changed rules would have done with the alerts of the past.", LOOK),
    "levels": Entry("What should hold by schedule and calendar, and when it changes.", LOOK),
    "jobs": Entry("The chores of the rules: last and next time, or have one done.", LOOK),
    "optimize": Entry("What could cost less: quiet hours, and what nobody uses.", LOOK),
    "scenarios": Entry("The procedures of several steps, and how those stand that go on.", LOOK),
    "audit": Entry("What people did: who, when, from where, why.", LOOK, "people"),
    "approvals": Entry("What waits for a person's approval.", LOOK, "approvals"),
    "pause": Entry("Let nothing be changed by itself for a while.", ACT, "control"),
    "resume": Entry("End the pauses of a target, or all of them.", ACT, "control"),
    "lock": Entry("Keep everybody else from changing a target.", ACT, "control"),
    "unlock": Entry("End your locks of a target.", ACT, "control"),
    "hold": Entry("Keep what a target has from being taken away.", ACT, "control"),
    "release": Entry("End holds and locks: runbookd is in charge again.", ACT, "control"),
    "run": Entry("Change a target, or see what would be changed.", ACT, "acting"),
    "cancel": Entry("Stop a run before its first write, or between steps.", ACT, "acting"),
    "retry": Entry("Ask once more for what a run was to reach.", ACT, "acting"),
    "undo": Entry("Put back what a run has changed.", ACT, "acting"),
    "approve": Entry("Approve a plan that waits.", ACT, "approvals"),
    "reject": Entry("Reject a plan that waits.", ACT, "approvals"),
    "signoff": Entry("Sign a scenario, before its first step or after its last.", ACT),
    "promote": Entry("Let a rule act again that has demoted itself.", ACT, "approvals"),
    "token": Entry("Tokens of people: new, list, revoke.", CARE, "people"),
    "check": Entry("Check rule files; errors by file and line.", CARE),
    "pool": Entry("Pools of database connections: what fits, and their files.", CARE),
    "cost": Entry("What this month costs: booked, running, and by its end.", CARE),
    "kpis": Entry("KPIs: how they stand, and Prometheus' rules for them.", CARE),
    "checklist": Entry("The checklist for scaling, as Markdown.", CARE),
    "load": Entry("A load test: arrivals by plan, a verdict by the KPIs.", CARE),
    "views": Entry("Dashboard views in the application's database: check, apply, show.", CARE),
    "replicas": Entry("The application's configuration for read replicas.", CARE),
    "nginx": Entry("Files for nginx: check one, or render a target's.", CARE),
    "reload": Entry("Have every process read the rule files again, and see that it has.", CARE),
    "doctor": Entry("What is set, what is reachable, what is missing.", CARE),
    "migrate": Entry("Bring the database's tables up to date.", CARE),
}


class Commands(TyperGroup):
    """The group of all commands. Names and summaries are the table's; a command is loaded when
    used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in ENTRIES.items():
            self.add_command(_stub(name, entry), name)
        self.help = unwrapped(self.help)

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of `runbookd` itself."""
        params = super().get_params(ctx)
        for parameter in params:
            take_plainly(parameter)
        return params

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that was typed, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in ENTRIES:
            command = typer.main.get_command(_app_of(name))
            command.help = unwrapped(command.help)
            for parameter in command.get_params(ctx):
                take_plainly(parameter)
        return name, command, rest


def _app_of(name: str) -> typer.Typer:
    """The application of a command, loaded."""
    entry = ENTRIES[name]
    module = import_module(f"service.cli.{entry.module or name}")
    app: typer.Typer = module.APPS[name] if entry.module else module.app
    return app


def unwrapped(text: str | None) -> str | None:
    """A docstring with each paragraph in one line.

    Typer keeps the line breaks of the source, except in the first paragraph. The terminal would
    break such lines once more.
    """
    if text is None:
        return None
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(re.sub(r"(?<=\S)\n(?=\S)", " ", each) for each in paragraphs)


def _stub(name: str, entry: Entry) -> Any:
    """A command that can be listed without loading its module."""
    listed = typer.Typer(add_completion=False, rich_markup_mode="rich")
    listed.command(name, help=entry.summary, rich_help_panel=entry.panel)(_nothing)
    return typer.main.get_command(listed)


def _nothing() -> None:
    """Stands in for a command until it is loaded."""
