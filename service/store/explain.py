"""Everything that is known of what somebody names: an alert, a decision, a run, or the last alert.

One value for the read API and the terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.domain.alerts.alert import Alert
from service.messages.answers import answers
from service.store.queries import AlertFilter, Queries

Consulted = Callable[[Alert], dict[str, Any]]
"""The rules in force and what they saw of an alert (`service.domain.rules.consulted`)."""


_NO_ALERT: dict[str, Any] = {
    "alert": None,
    "notifications": [],
    "rules": None,
    "quarantined": None,
}
"""What is known where no alert is meant."""


def explain(
    queries: Queries, of: str | None, rules: Consulted, now: float
) -> dict[str, Any] | None:
    """What led to what; None when nothing of that name is stored.

    `of` is the id of an alert, of a decision, of a run or of an alert that could not be read, or
    the name of an alert (the newest of that name); None is the alert that came last. `run` is the
    run that was named, `alert` None where no alert asked for that run, `quarantined` what could not
    be read. `answers` are the questions that a person asks first, each with its answer at `now`
    (seconds since the epoch). `started` are the scenarios that its runs have started, by the run.
    """
    found = _found(queries, of, rules)
    if found is None:
        return None
    claims = {each["claim"] for each in (found["run"], *found["runs"]) if each is not None}
    found["started"] = queries.started_by(_starts(found))
    return {"answers": answers(found, queries.rests(claims), now), **found}


def _starts(found: dict[str, Any]) -> list[str]:
    """The runs that start scenarios."""
    runs = [each for each in (found["run"], *found["runs"]) if each is not None]
    return [each["id"] for each in runs if each["action"] == "start_scenario"]


def _found(queries: Queries, of: str | None, rules: Consulted) -> dict[str, Any] | None:
    unread = queries.quarantined(of) if of is not None else None
    if unread is not None:
        return {**_NO_ALERT, "run": None, "quarantined": unread, "decisions": [], "runs": []}
    run = queries.run(of) if of is not None else None
    alert_id = _alert_of(queries, of, run)
    found = queries.explain(alert_id) if alert_id is not None else None
    alert = queries.alert_value(alert_id) if alert_id is not None else None
    if found is not None and alert is not None:
        return {"run": run, **found, "rules": rules(alert), "quarantined": None}
    if run is None:
        return None
    decisions = run["decisions"]
    return {
        **_NO_ALERT,
        "run": run,
        "decisions": decisions,
        "runs": [{name: value for name, value in run.items() if name != "decisions"}],
    }


def _alert_of(queries: Queries, of: str | None, run: dict[str, Any] | None) -> str | None:
    """The id of the alert that is meant; None where there is none."""
    if run is not None:
        return next(iter(run["alerts"]), None)
    if of is not None and of.startswith("d-"):
        return queries.alert_of_decision(of)
    if of is not None and queries.alert(of) is not None:
        return of
    newest = queries.alerts(AlertFilter(name=of), 1).items
    return newest[0]["id"] if newest else None
