"""What is stored, one by one and in lists: runs, episodes, history, rules and the audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, g, request, url_for

from service.domain.alerts.alert import Alert
from service.domain.people import NotFound
from service.domain.rules.consulted import consulted, rules_told
from service.domain.rules.told import wrong_with
from service.domain.scenarios.scenarios import is_scenario_run
from service.store.explain import explain
from service.store.filters import LISTED, only, page_of, paging
from service.store.hits import MOST
from service.web.console.now import change
from service.web.console.pages import page
from service.web.console.timeline import timeline, while_it_lasted
from service.web.fingerprints import Show, shown_by
from service.web.parts import WebParts
from service.web.permissions import allowed

KEPT = ("alerts", "decisions", "runs", "quarantine")
"""The lists of the history, as the API names them."""
_DOINGS = 20
"""Entries of the audit about one run or target that the timeline of an episode looks through."""
_LONGEST = 4_000
"""Characters of one payload that a page shows. The API tells the whole."""


def add_records(console: Blueprint, parts: WebParts) -> None:
    """The pages of what is stored."""
    show = shown_by(parts.settings)
    _singles(console, parts, show)
    _lists(console, parts, show)


def _singles(console: Blueprint, parts: WebParts, show: Show) -> None:
    @console.get("/runs/<path:run_id>")
    def run(run_id: str) -> Response:
        only(request.args)
        if is_scenario_run(run_id):
            address = url_for("console.scenario_run", run_id=run_id)
            return Response(status=303, headers={"Location": address})
        found = parts.queries.run(run_id)
        if found is None:
            raise NotFound(f"There is no run {run_id!a}.")
        return page(
            "run.html",
            run=found,
            changed=change(found["plan"]),
            links=_links(parts, found),
            indented=indented,
        )

    @console.get("/episodes/<path:of>")
    def episode(of: str) -> Response:
        only(request.args)
        rules = parts.rules()

        def judged(alert: Alert) -> dict[str, Any]:
            return consulted(rules.book, rules.index, alert)

        found = explain(parts.queries, of, judged, parts.clock())
        if found is None:
            raise NotFound(f"There is no alert, decision or run {of!a}.")
        told = {**show(found), "quarantined": found["quarantined"] and show(found["quarantined"])}
        targets = {run["target"] for run in told["runs"]} | {
            decision["target"] for decision in told["decisions"]
        }
        return page(
            "episode.html",
            of=of,
            told=told,
            targets=sorted(filter(None, targets)),
            events=timeline(told, _doings(parts, told, targets)),
            indented=indented,
        )


def _links(parts: WebParts, run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where else this run is to be seen, each as words and an address: at its vendor, and in Slack.

    Slack documents an address for a channel that needs no name of a workspace, and none for a
    message. The sandbox has no page of its own for either, so its channels are left out.
    """
    found = []
    target = parts.rules().book.targets.get(run["target"])
    if target is not None and target.console:
        found.append((f"{target.name} at its vendor", target.console))
    told = next((step["detail"] for step in run["steps"] if step["name"] == "announce"), None)
    if told and told.get("channel") and not parts.settings.sandbox_url:
        channel = quote(str(told["channel"]), safe="")
        found.append(
            (
                "the channel of its message in Slack",
                f"https://slack.com/app_redirect?channel={channel}",
            )
        )
    return found


def _doings(parts: WebParts, told: Mapping[str, Any], targets: set[str]) -> list[Any]:
    """What people did with its runs, and with its targets while it lasted; for whoever may read the
    audit."""
    if not allowed(g.person, "audit", "GET"):
        return []

    def about(subjects: Iterable[str]) -> list[dict[str, Any]]:
        return [
            each
            for subject in sorted(subjects)
            for each in parts.audit.entries(_DOINGS, subject=subject).items
        ]

    runs = about(run["id"] for run in told["runs"])
    return [*runs, *while_it_lasted(told, about(filter(None, targets)))]


def _lists(console: Blueprint, parts: WebParts, show: Show) -> None:
    @console.get("/history/<what>")
    def history(what: str) -> Response:
        if what not in KEPT:
            raise NotFound(f"There is no list {what!a}; there are {', '.join(KEPT)}.")
        # A filter that is left empty in the form is none.
        given = {name: value for name, value in request.args.items() if value}
        found = page_of(parts.queries, what, given)
        return page(
            "history.html",
            what=what,
            lists=KEPT,
            filters=LISTED[what].filters,
            given=given,
            items=[show(each) for each in found.items],
            older=_older(partial(url_for, "console.history", what=what), given, found.next),
        )

    @console.get("/rules")
    def rules() -> Response:
        only(request.args)
        book = parts.rules().book
        told = rules_told(book, parts.queries.outcomes_of_rules(), parts.queries.demotions())
        hits = parts.queries.hits_of_rules((each["name"] for each in told), g.now)
        return page(
            "rules.html",
            hash=book.hash,
            rules=told,
            hits=hits,
            most=MOST,
            wrong=wrong_with(parts.queries.rules_of_processes(parts.clock())),
        )

    @console.get("/audit")
    def audit() -> Response:
        given = {name: value for name, value in request.args.items() if value}
        asked = paging(given, "who", "subject")
        found = parts.audit.entries(
            asked.limit, asked.after, given.get("who"), given.get("subject")
        )
        return page(
            "audit.html",
            given=given,
            items=found.items,
            older=_older(partial(url_for, "console.audit"), given, found.next),
        )


def _older(address: partial[str], given: Mapping[str, str], cursor: str | None) -> str:
    """The address of the following page; empty on the last."""
    return "" if cursor is None else address(**{**given, "after": cursor})


def indented(value: Any) -> str:
    """Plain values as JSON that a person can read, cut where a page would become too long."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST} more characters; the API tells them."
