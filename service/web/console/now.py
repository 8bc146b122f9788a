"""Now: a card for each target, and what fires, waits and is paused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, g, request

from service.domain.decisions.approval import Approval
from service.domain.decisions.controls import PAUSE
from service.domain.decisions.planning import change_of
from service.domain.people import Person
from service.store.filters import only
from service.store.queries import AlertFilter, Queries
from service.web.console.pages import page
from service.web.fingerprints import shown_by
from service.web.parts import WebParts

SHOWN = 10
"""Alerts that are shown; there is a link to the rest."""
MOST_STEPS = 20
"""Runs under way of which the step is read. In a storm there are more, and each is a look."""
EACH_S = 5
"""Seconds between two looks of a page that is open."""


def add_now(console: Blueprint, parts: WebParts) -> None:
    """The first page."""
    show = shown_by(parts.settings)

    @console.get("")
    def now() -> Response:
        only(request.args)
        told = parts.status(None)
        fires = parts.queries.alerts(AlertFilter(firing=True), SHOWN)
        steps = dict(_steps(parts.queries, told["targets"]))
        return page(
            "now.html",
            each_s=EACH_S,
            status=told,
            asking=[
                {**_plan(each, g.person), "change": f"{each['after']} on {each['target']}"}
                for each in parts.people.scenarios.asking()
            ],
            answered=_answered(told["targets"]),
            targets=[_card(each, steps, g.person) for each in told["targets"].values()],
            for_all=[
                each.to_json() for each in parts.people.in_force(PAUSE) if each.target is None
            ],
            firing=[show(each) for each in fires.items],
            more_fire=fires.next is not None,
        )


def _card(target: dict[str, Any], steps: Mapping[str, str], person: Person) -> dict[str, Any]:
    """A target as its card shows it: runs with their step, plans and changes in one sentence."""
    last = target["last_run"]
    return {
        **target,
        "under_way": [_run(run, steps) for run in target["under_way"]],
        "last_run": None if last is None else _run(last, steps),
        "approvals": [_plan(each, person) for each in target["approvals"]],
        "pauses": [each for each in target["pauses"] if each["target"] is not None],
        "changed": "" if last is None else change(last["plan"]),
    }


def _run(run: dict[str, Any], steps: Mapping[str, str]) -> dict[str, Any]:
    """A run with its step. The status does not tell whether it wrote: what has succeeded with a
    plan is taken to have, and an undo of what has not is refused with a sentence."""
    wrote = run["status"] == "succeeded" and run["plan"] is not None
    return {**run, "step": steps.get(run["id"], ""), "wrote": wrote}


def _answered(targets: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The runs that the cards know, each with its change, by the ids of the alerts that asked."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in targets.values():
        last = each["last_run"]
        for run in [*each["under_way"], *([last] if last else [])]:
            for alert in run["alerts"]:
                found.setdefault(alert, []).append({**run, "change": change(run["plan"])})
    return found


def _plan(approval: dict[str, Any], person: Person) -> dict[str, Any]:
    mine = Approval(tuple(approval["from"])).may_decide(person)
    return {**approval, "change": change(approval), "mine": mine}


def change(plan: Mapping[str, Any] | None) -> str:
    """What a plan changes, for a person: `replicas 2 → 3`."""
    return "" if not plan else change_of(plan["what"], plan["before"], plan["after"])


def _steps(queries: Queries, targets: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The step at which each run under way is, by the run's id."""
    runs = [run for each in targets.values() for run in each["under_way"]]
    for run in runs[:MOST_STEPS]:
        found = queries.run(run["id"])
        if found is not None and found["steps"]:
            last = found["steps"][-1]
            yield run["id"], f"{last['name']} ({last['status']})"
