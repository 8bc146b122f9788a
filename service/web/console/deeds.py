"""What a person may do from the console: each asks first, and says what it will do.

The endpoints have the names of the API's, so that `service.web.permissions` gives both the same
roles. What may be done is decided in `service.triggers.people`, as for the API and the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, request

from service.domain.decisions.approval import APPROVED, REJECTED
from service.domain.decisions.controls import HOLD, LOCK, PAUSE
from service.domain.people import NotFound
from service.domain.scenarios.scenarios import is_scenario_run
from service.store.filters import only
from service.triggers.people.asked import Scope
from service.triggers.people.people import Asked, People
from service.web.console.forms import form
from service.web.console.now import change
from service.web.console.pages import page
from service.web.parts import WebParts

Names = Mapping[str, str]
"""What the address names: a target, a run, an approval."""

_PUT = {
    PAUSE: "Nothing is changed on {name} by itself until the pause ends. Runs that have begun to "
    "write go on to their end; cancel stops them.",
    LOCK: "Nobody but you changes {name} until the lock ends, and nothing does so by itself.",
    HOLD: "What {name} has now is not taken away by itself until the hold ends.",
}
_LASTS = {PAUSE: "30m", LOCK: "1h", HOLD: "12h"}
"""How long each is asked for, unless the person writes another length."""
_ON_RUNS = {
    "cancel": "The run stops before its first write, or between two of its steps. A write that was "
    "sent already is not taken back: undo does that.",
    "retry": "A new run asks once more for what this one was to reach, under every guard.",
    "undo": "A new run puts back what this one has changed, where it is still so. The target is "
    "paused for an hour, so that nothing changes it again by itself.",
}
_ALL = "all"
"""The name that stands for every target, as in the API."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks before something is done. `lasts` is a length of time, where there is one;
    `plan` is the hash of the plan that was read."""

    title: str
    will: str
    lasts: str = ""
    plan: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in a sentence, and the run that it has led to, if any."""

    said: str
    run: str = ""


def add_deeds(console: Blueprint, parts: WebParts) -> None:
    """The forms, each with the page that asks."""
    people = parts.people
    _on_targets(console, people)
    _on_runs(console, parts)
    _on_approvals(console, people)


def _add(
    console: Blueprint,
    path: str,
    endpoint: str,
    asks: Callable[[Names], Question],
    does: Callable[[Names, Mapping[str, str]], Done],
) -> None:
    def view(**names: str) -> Response:
        only(request.args)
        if request.method == "POST":
            done = does(names, form())
            return page("done.html", said=done.said, run=done.run)
        return page("confirm.html", question=asks(names))

    console.add_url_rule(path, endpoint, view, methods=["GET", "POST"])


def _on_targets(console: Blueprint, people: People) -> None:
    def ask_put(names: Names) -> Question:
        kind, name = names["kind"], names["name"]
        whole = "every target" if name == _ALL else name
        will = _PUT[kind].format(name=whole)
        return Question(f"{kind.capitalize()} {whole}", will, lasts=_LASTS[kind])

    def put(names: Names, fields: Mapping[str, str]) -> Done:
        target = None if names["name"] == _ALL else names["name"]
        made, going_on = people.put(
            g.person, names["kind"], Scope(target), fields.get("for", ""), fields.get("why", "")
        )
        goes_on = f" These runs have begun and go on: {', '.join(going_on)}." if going_on else ""
        return Done(f"The {made.kind} of {made.scope} is in force ({made.id}).{goes_on}")

    def ended(verb: Callable[..., Any]) -> Callable[[Names, Mapping[str, str]], Done]:
        def end(names: Names, fields: Mapping[str, str]) -> Done:
            found = verb(g.person, names["name"], fields.get("why", ""))
            said = ", ".join(f"the {each.kind} of {each.scope} by {each.by}" for each in found)
            return Done(f"Ended: {said or 'nothing, because nothing was in force'}.")

        return end

    def resume(person: Any, name: str, why: str) -> Any:
        return people.resume(person, None if name == _ALL else name, why)

    _add(console, "/targets/<path:name>/<any(pause, lock, hold):kind>", "put", ask_put, put)
    for endpoint, verb, will in (
        ("resume", resume, "Every pause of {name} ends. What it held is judged again."),
        ("unlock", people.unlock, "The locks of {name} end. What they held is judged again."),
        ("release", people.release, "The holds and locks of {name} end: runbookd is in charge."),
    ):
        _add(
            console,
            f"/targets/<path:name>/{endpoint}",
            endpoint,
            _asks(f"{endpoint.capitalize()} {{name}}", will),
            ended(verb),
        )


def _asks(title: str, will: str) -> Callable[[Names], Question]:
    return lambda names: Question(title.format(**names), will.format(**names))


def _asks_about(parts: WebParts, verb: str, will: str) -> Callable[[Names], Question]:
    def ask(names: Names) -> Question:
        if is_scenario_run(names["run_id"]):
            return _on_scenario(parts.people, verb, names["run_id"])
        found = parts.queries.run(names["run_id"])
        if found is None:
            raise NotFound(f"There is no run {names['run_id']!a}.")
        planned = change(found["plan"]) or "no plan yet"
        detail = (
            f"Run {found['id']} is {found['status']}: {found['action']} on "
            f"{found['target'] or 'no target'}, {planned}. {found['why']}"
        )
        return Question(f"{verb.capitalize()} run {found['id']}", will, detail=detail)

    return ask


def _on_runs(console: Blueprint, parts: WebParts) -> None:
    people = parts.people

    def cancel(names: Names, fields: Mapping[str, str]) -> Done:
        if is_scenario_run(names["run_id"]):
            run = names["run_id"]
            people.scenarios.cancel(g.person, run, fields.get("why", ""))
            return Done(f"No further step of {run} begins. What is under way goes on.", run)
        stopping = people.cancel(g.person, names["run_id"], fields.get("why", ""))
        said = f"Run {stopping.id} is {stopping.status}, and stops before its next step."
        return Done(said, stopping.id)

    def retry(names: Names, fields: Mapping[str, str]) -> Done:
        return _queued(people.retry(g.person, names["run_id"], fields.get("why", "")))

    def undo(names: Names, fields: Mapping[str, str]) -> Done:
        if is_scenario_run(names["run_id"]):
            now = people.scenarios.undo(g.person, names["run_id"], fields.get("why", ""))
            return Done(f"{now.id} goes back, its last step first. Its page says how.", now.id)
        return _queued(people.undo(g.person, names["run_id"], fields.get("why", "")))

    for endpoint, does in (("cancel", cancel), ("retry", retry), ("undo", undo)):
        ask = _asks_about(parts, endpoint, _ON_RUNS[endpoint])
        _add(console, f"/runs/<path:run_id>/{endpoint}", endpoint, ask, does)


_ON_SCENARIOS = {
    "cancel": "No further step begins. What is under way goes on to its end, and stays.",
    "undo": "What its steps have changed is put back in the reverse order, where it still is so.",
}


def _on_scenario(people: People, verb: str, run_id: str) -> Question:
    """The question about a scenario that was started.

    Raises:
        NotFound: there is none, or a scenario cannot be tried once more as a whole.
    """
    told, will = people.scenarios.one(run_id), _ON_SCENARIOS.get(verb)
    if will is None:
        raise NotFound(f"{run_id} is a scenario: start it anew, or try its failed runs again.")
    detail = f"Scenario {run_id} is {told['state']}. {told['by']}: {told['why']}"
    return Question(f"{verb.capitalize()} scenario {run_id}", will, detail=detail)


def _queued(asked: Asked) -> Done:
    return Done(f"Queued: run {asked.run} on {asked.target}. Its page says how it goes.", asked.run)


def _waiting(people: People, approval_id: str) -> dict[str, Any]:
    """What waits for approval and may be decided by whoever asks, as it is told.

    Raises:
        Refusal: there is no such approval, it waits no more, or somebody else decides on it.
    """
    if is_scenario_run(approval_id):
        people.scenarios.decidable(g.person, approval_id)
    else:
        people.decidable(g.person, approval_id)
    found = next((each for each in people.approvals(200) if each["id"] == approval_id), None)
    if found is None:
        raise NotFound(f"Approval {approval_id} is not among the newest 200.")
    return found


def _dollars(amount: float | None) -> str:
    return "an unknown price" if amount is None else f"${amount:,.2f}"


def _on_approvals(console: Blueprint, people: People) -> None:
    def ask(names: Names) -> Question:
        waiting = _waiting(people, names["approval_id"])
        if names["verb"] == "reject":
            will = "Nothing is changed, and it rests for the rule's cooldown."
            if is_scenario_run(waiting["id"]):
                will = "The scenario ends. Nothing is changed."
        elif is_scenario_run(waiting["id"]):
            will = "Its steps begin. If the plan has become another one, it asks again."
        else:
            will = (
                "A new run looks at the target and does this. If its plan has become another one, "
                "it asks again."
            )
        detail = (
            f"{_dollars(waiting['price_before'])} → {_dollars(waiting['price_after'])} a month. "
            f"{waiting['downtime'] or 'No downtime.'} {waiting['why']}"
        )
        on = f"{waiting['target']}: {change(waiting)}"
        if is_scenario_run(waiting["id"]):
            on = f"scenario {waiting['id']}"
        title = f"{names['verb'].capitalize()} {on}"
        return Question(title, will, plan=waiting["plan"], detail=detail)

    def decide(names: Names, fields: Mapping[str, str]) -> Done:
        state = APPROVED if names["verb"] == "approve" else REJECTED
        why, plan = fields.get("why", ""), fields.get("plan", "")
        if is_scenario_run(names["approval_id"]):
            now = people.scenarios.decide(g.person, names["approval_id"], state, why, plan)
            return Done(f"Scenario {now.id} is {state}.", now.id)
        made = people.decide(g.person, names["approval_id"], state, why, plan)
        return Done(f"Approval {made.id} is {state}.", made.next_run or "")

    path = "/approvals/<path:approval_id>/<any(approve, reject):verb>"
    _add(console, path, "decide", ask, decide)
