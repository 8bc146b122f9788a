"""The read API: everything that is stored, as pages and one by one.

`{"items": […], "next": cursor}`; the cursor goes back in as `after`. Nothing here changes
anything.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from service.domain.filters import BadFilter
from service.domain.rules.consulted import consulted
from service.store.explain import explain
from service.store.filters import LISTED, only, page_of
from service.store.pages import UnknownCursor
from service.store.queries import Queries
from service.web.answers import answer, refusal
from service.web.auth import Credentials, api_credentials
from service.web.parts import WebParts


def blueprint(parts: WebParts) -> Blueprint:
    """The API under /api/v1; behind a bearer token when API_TOKENS is set."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    _guard(api, api_credentials(parts.settings))
    _pages(api, parts.queries)
    _singles(api, parts.queries)
    _now(api, parts)
    api.register_error_handler(BadFilter, lambda error: refusal(422, str(error)).to_flask())
    api.register_error_handler(UnknownCursor, _unknown_cursor)
    return api


def _guard(api: Blueprint, credentials: Credentials) -> None:
    @api.before_request
    def authenticate() -> Response | None:
        refused = credentials.refuse(request.environ.get("HTTP_AUTHORIZATION"))
        if refused is None:
            return None
        said = refusal(401, refused.sentence, ("WWW-Authenticate", refused.challenge))
        return said.to_flask()


def _pages(api: Blueprint, queries: Queries) -> None:
    def listed(what: str) -> Response:
        return answer(page_of(queries, what, request.args).to_json()).to_flask()

    for what in LISTED:
        api.add_url_rule(f"/{what}", what, partial(listed, what))


def _singles(api: Blueprint, queries: Queries) -> None:
    @api.get("/alerts/<alert_id>")
    def alert(alert_id: str) -> Response:
        return _found(queries.alert(alert_id), "alert", alert_id)

    @api.get("/alerts/<alert_id>/explain")
    def explain(alert_id: str) -> Response:
        return _found(queries.explain(alert_id), "alert", alert_id)

    @api.get("/runs/<path:run_id>")
    def run(run_id: str) -> Response:
        return _found(queries.run(run_id), "run", run_id)


def _now(api: Blueprint, parts: WebParts) -> None:
    @api.get("/status")
    def status() -> Response:
        only(request.args, "target")
        return answer(parts.status(request.args.get("target"))).to_flask()

    @api.get("/explain")
    def explain_any() -> Response:
        only(request.args, "of", "last")
        of = request.args.get("of")
        if (of is None) == ("last" not in request.args):
            raise BadFilter("Name an alert, a decision or a run with of=…, or say last=true.")
        rules = parts.rules()
        found = explain(parts.queries, of, partial(consulted, rules.book, rules.index))
        if found is None:
            what = "alert yet" if of is None else f"alert, decision or run {of!a}"
            return refusal(404, f"There is no {what}.").to_flask()
        return answer(found).to_flask()


def _found(item: dict[str, Any] | None, what: str, name: str) -> Response:
    if item is None:
        return refusal(404, f"There is no {what} {name!a}.").to_flask()
    return answer(item).to_flask()


def _unknown_cursor(error: UnknownCursor) -> Response:
    return refusal(422, f"after={error.args[0]!a} is no known cursor.").to_flask()
