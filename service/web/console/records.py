"""What is stored, one by one and in lists: runs, episodes, history, rules and the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response, request, url_for

from service.domain.alerts.alert import Alert
from service.domain.people import NotFound
from service.domain.rules.consulted import consulted, rules_told
from service.domain.rules.told import wrong_with
from service.store.explain import explain
from service.store.filters import LISTED, only, page_of, paging
from service.web.console.pages import page
from service.web.fingerprints import Show, shown_by
from service.web.parts import WebParts

KEPT = ("alerts", "decisions", "runs", "quarantine")
"""The lists of the history, as the API names them."""
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
        found = parts.queries.run(run_id)
        if found is None:
            raise NotFound(f"There is no run {run_id!a}.")
        return page("run.html", run=found, indented=indented)

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
        return page("episode.html", of=of, told=told, indented=indented)


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
        return page(
            "rules.html",
            hash=book.hash,
            rules=told,
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
