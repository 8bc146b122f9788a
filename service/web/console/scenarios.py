"""Scenarios: those of the rules, those that were started, and how one of them stands."""

from __future__ import annotations

from flask import Blueprint, Response, request

from service.domain.scenarios.going import (
    ACTIVE,
    PLANNING,
    REFUSED,
    UNDOING,
    UNDONE,
    UNENDED,
    UNSIGNED,
    WAITING,
)
from service.store.filters import only
from service.web.console.pages import may, page
from service.web.parts import WebParts

NEWEST = 50
"""Scenarios that were started and are listed."""
EACH_S = 5
"""Seconds between two looks of a page whose scenario goes on."""


def add_scenarios(console: Blueprint, parts: WebParts) -> None:
    """The pages of the scenarios. To undo, cancel and approve, they use the forms of runs."""
    scenarios = parts.people.scenarios

    @console.get("/scenarios")
    def all_scenarios() -> Response:
        only(request.args)
        return page("scenarios.html", told=scenarios.all(NEWEST))

    @console.get("/scenarios/runs/<path:run_id>")
    def scenario_run(run_id: str) -> Response:
        only(request.args)
        told = scenarios.one(run_id)
        known = [each["dollars"] for each in told["steps"] if each["dollars"] is not None]
        return page(
            "scenario.html",
            told=told,
            adds=sum(known) if known else None,
            goes_on=told["state"] in UNENDED,
            verbs=[each for each in _verbs(told["state"], plan=told["plan"]) if may(each)],
            each_s=EACH_S,
        )


def _verbs(state: str, *, plan: bool) -> list[str]:
    """What people may do in this state: `cancel` while no step is over for good, and `undo` once
    something may have been changed. A plan ends by itself."""
    if plan:
        return []
    cancel = state in UNENDED and state not in (ACTIVE, UNDOING)
    undo = state not in (PLANNING, WAITING, UNSIGNED, UNDOING, UNDONE, REFUSED)
    return ["cancel"] * cancel + ["undo"] * undo
