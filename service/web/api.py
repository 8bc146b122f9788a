"""The API under /api/v1: what is stored, in pages and one by one, and how things are now.

A page is `{"items": […], "next": cursor}`. The cursor is the `after` of the next request. The
endpoints that change something are in `service.web.control`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request

from service.domain.filters import BadFilter
from service.domain.levels.told import DEFAULT_DAYS, levels_told
from service.domain.people import Person
from service.domain.rules.consulted import consulted, rules_told
from service.domain.rules.told import wrong_with
from service.store.explain import explain
from service.store.filters import LISTED, moment_asked, only, page_of, whole_number
from service.store.pages import UnknownCursor
from service.store.queries import Queries
from service.web.addresses import nothing_there
from service.web.answers import answer, refusal
from service.web.auth import Unauthorized
from service.web.control import add_control
from service.web.fingerprints import Show, shown_by
from service.web.open_mode import turn_away_change, turn_away_reader
from service.web.parts import WebParts
from service.web.people import Doorkeeper, doorkeeper, shows_no_token, unauthorized
from service.web.permissions import allowed, changes, require
from service.web.refused import Refused


def blueprint(parts: WebParts) -> Blueprint:
    """The API under /api/v1. Without API_TOKENS whoever is on this machine may read, and asks for
    this machine by its name or address."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    keeper = doorkeeper(parts.settings, parts.stored_tokens, parts.clock)
    refused = Refused(parts.audit.keep, parts.clock)
    _guard(api, keeper, refused, parts.settings.host)
    show = shown_by(parts.settings)
    _pages(api, parts.queries, show)
    add_control(api, parts, refused)
    _singles(api, parts.queries, show)
    _now(api, parts, show)
    api.register_error_handler(BadFilter, lambda error: refusal(422, str(error)).to_flask())
    api.register_error_handler(UnknownCursor, _unknown_cursor)
    return api


def _guard(api: Blueprint, keeper: Doorkeeper, refused: Refused, own_host: str) -> None:
    @api.before_request
    def admit() -> Response | None:
        """Who asks, whether that person may, and whether it can be asked at all: in this order, and
        before the body is read."""
        header = request.environ.get("HTTP_AUTHORIZATION")
        address, change = request.remote_addr or "", changes(request.method)
        found = keeper.person(header, address)
        if isinstance(found, Person) and keeper.asks_without(found) and not change:
            turned_away = turn_away_reader(request.environ, own_host)
            if turned_away is not None:
                return turned_away.to_flask()
        if isinstance(found, Person) and shows_no_token(found):
            found = _reader(found)
        if isinstance(found, Unauthorized):
            if header or change:
                refused.unauthorized(request.method, request.path, address, found.sentence)
            said = refusal(401, found.sentence, ("WWW-Authenticate", found.challenge))
            return said.to_flask()
        g.person = found
        require(found, request.endpoint or "", request.method)
        if keeper.is_open and change:
            turned_away = turn_away_change(request.environ, own_host)
            if turned_away is not None:
                return turned_away.to_flask()
        return _storable()


def _reader(reader: Person) -> Person | Unauthorized:
    """Whoever shows no token may read what everybody may, and change nothing, plans included."""
    if not changes(request.method) and allowed(reader, request.endpoint or "", request.method):
        return reader
    return unauthorized(
        "This takes a token. Set API_TOKENS, or make one on this machine: runbookd token new NAME "
        "--role operator."
    )


def _storable() -> Response | None:
    """The refusal of a NUL, which nothing stored can hold and PostgreSQL does not take."""
    if "\0" in request.path:
        return refusal(404, nothing_there(request.path)).to_flask()
    for name, value in request.args.items(multi=True):
        if "\0" in name or "\0" in value:
            raise BadFilter(f"{name!a} holds a NUL character, so nothing can be found by it.")
    return None


def _pages(api: Blueprint, queries: Queries, show: Show) -> None:
    def listed(what: str) -> Response:
        page = page_of(queries, what, request.args)
        shown = replace(page, items=tuple(map(show, page.items)))
        return answer(shown.to_json()).to_flask()

    for what in LISTED:
        api.add_url_rule(f"/{what}", what, partial(listed, what))


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


def _now(api: Blueprint, parts: WebParts, show: Show) -> None:
    @api.get("/status")
    def status() -> Response:
        only(request.args, "target")
        return answer(parts.status(request.args.get("target"))).to_flask()

    @api.get("/rules")
    def rules() -> Response:
        only(request.args)
        book = parts.rules().book
        queries = parts.queries
        items = rules_told(book, queries.outcomes_of_rules(), queries.demotions())
        wrong = wrong_with(queries.rules_of_processes(parts.clock()))
        told = {"hash": book.hash, "wrong": wrong, "items": items, "next": None}
        return answer(told).to_flask()

    @api.get("/levels")
    def levels() -> Response:
        only(request.args, "at", "days")
        book = parts.rules().book
        at = moment_asked(request.args, "at")
        now = parts.clock() if at is None else at
        days = whole_number(request.args, "days", DEFAULT_DAYS)
        return answer(levels_told(book.levels, book.hash, now, days, parts.levels())).to_flask()

    @api.get("/explain")
    def explain_any() -> Response:
        only(request.args, "of", "last")
        of = request.args.get("of")
        if (of is None) == ("last" not in request.args):
            raise BadFilter("Name an alert, a decision or a run with of=…, or say last=true.")
        rules = parts.rules()
        judged = partial(consulted, rules.book, rules.index)
        found = explain(parts.queries, of, judged, parts.clock())
        if found is None:
            what = "alert yet" if of is None else f"alert, decision or run {of!a}"
            return refusal(404, f"There is no {what}.").to_flask()
        return answer(show(found)).to_flask()


def _found(item: dict[str, Any] | None, what: str, name: str, show: Show = dict) -> Response:
    if item is None:
        return refusal(404, f"There is no {what} {name!a}.").to_flask()
    return answer(show(item)).to_flask()


def _unknown_cursor(error: UnknownCursor) -> Response:
    return refusal(422, f"after={error.args[0]!a} is no known cursor.").to_flask()
