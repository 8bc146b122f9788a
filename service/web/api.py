"""The API: everything that is stored, as pages and one by one, and what people change.

`{"items": […], "next": cursor}`; the cursor goes back in as `after`. What changes something is in
`service.web.control`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, request

from service.store.pages import Page, UnknownCursor
from service.store.queries import Queries
from service.web.answers import answer, refusal
from service.web.auth import Unauthorized
from service.web.control import add_control
from service.web.filters import BadFilter, alert_filter, decision_filter, paging, run_filter
from service.web.fingerprints import Show, shown_by
from service.web.open_mode import turn_away_change
from service.web.parts import WebParts
from service.web.people import Doorkeeper, doorkeeper


def blueprint(parts: WebParts) -> Blueprint:
    """The API under /api/v1; behind a bearer token when API_TOKENS is set."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    keeper = doorkeeper(parts.settings, parts.stored_token, parts.clock)
    _guard(api, keeper, parts.settings.host)
    show = shown_by(parts.settings)
    _pages(api, parts.queries, show)
    add_control(api, parts)
    _singles(api, parts.queries, show)
    api.register_error_handler(BadFilter, lambda error: refusal(422, str(error)).to_flask())
    api.register_error_handler(UnknownCursor, _unknown_cursor)
    return api


def _guard(api: Blueprint, keeper: Doorkeeper, own_host: str) -> None:
    @api.before_request
    def authenticate() -> Response | None:
        header = request.environ.get("HTTP_AUTHORIZATION")
        found = keeper.person(header, request.remote_addr or "")
        if isinstance(found, Unauthorized):
            said = refusal(401, found.sentence, ("WWW-Authenticate", found.challenge))
            return said.to_flask()
        g.person = found
        if keeper.tokens or request.method in ("GET", "HEAD", "OPTIONS"):
            return None
        turned_away = turn_away_change(request.environ, own_host)
        return None if turned_away is None else turned_away.to_flask()


def _pages(api: Blueprint, queries: Queries, show: Show) -> None:
    @api.get("/alerts")
    def alerts() -> Response:
        asked = paging(request.args, "name", "source", "status", "since", "until")
        return _page(queries.alerts(alert_filter(request.args), asked.limit, asked.after), show)

    @api.get("/decisions")
    def decisions() -> Response:
        asked = paging(request.args, "verdict", "rule", "target", "alert", "run")
        return _page(queries.decisions(decision_filter(request.args), asked.limit, asked.after))

    @api.get("/runs")
    def runs() -> Response:
        asked = paging(request.args, "status", "target", "action")
        return _page(queries.runs(run_filter(request.args), asked.limit, asked.after))

    @api.get("/quarantine")
    def quarantine() -> Response:
        asked = paging(request.args)
        return _page(queries.quarantine(asked.limit, asked.after), show)


def _singles(api: Blueprint, queries: Queries, show: Show) -> None:
    @api.get("/alerts/<alert_id>")
    def alert(alert_id: str) -> Response:
        return _found(queries.alert(alert_id), "alert", alert_id, show)

    @api.get("/alerts/<alert_id>/explain")
    def explain(alert_id: str) -> Response:
        return _found(queries.explain(alert_id), "alert", alert_id, show)

    @api.get("/runs/<path:run_id>")
    def run(run_id: str) -> Response:
        return _found(queries.run(run_id), "run", run_id)


def _page(page: Page, show: Show = dict) -> Response:
    shown = replace(page, items=tuple(map(show, page.items)))
    return answer(shown.to_json()).to_flask()


def _found(item: dict[str, Any] | None, what: str, name: str, show: Show = dict) -> Response:
    if item is None:
        return refusal(404, f"There is no {what} {name!a}.").to_flask()
    return answer(show(item)).to_flask()


def _unknown_cursor(error: UnknownCursor) -> Response:
    return refusal(422, f"after={error.args[0]!a} is no known cursor.").to_flask()
