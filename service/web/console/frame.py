"""The frame of the console: who may see a page, the sign-in, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, g, redirect, request, url_for
from pydantic_core import from_json
from werkzeug.exceptions import HTTPException

from service.domain.errors import StoreUnavailable
from service.domain.filters import BadFilter
from service.domain.people import Conflict, Forbidden, NotFound, Person, Refusal
from service.store.pages import UnknownCursor
from service.web.auth import Unauthorized
from service.web.console.forms import form
from service.web.console.pages import HEADERS, page, session_cookie
from service.web.console.sessions import (
    FORM,
    PATH,
    SESSION,
    SESSION_S,
    from_elsewhere,
    keep,
    new_nonce,
    opened,
    own_path,
    sealed,
)
from service.web.open_mode import is_this_machine, turn_away_change
from service.web.parts import WebParts
from service.web.people import Doorkeeper, doorkeeper, shows_no_token
from service.web.permissions import allowed, changes, require
from service.web.refused import Refused

_FOR_EVERYBODY = ("console.sign_in", "console.signed_in", "console.static")
"""Endpoints that ask for no person: without them nobody could sign in."""
_NO_PAGE = "There is no such page."
_STATUS: dict[type[Refusal], int] = {NotFound: 404, Conflict: 409, Forbidden: 403}


def framed(parts: WebParts) -> Blueprint:
    """The console with its sign-in, and without its pages."""
    console = Blueprint("console", __name__, url_prefix=PATH, static_folder="static")
    keeper = doorkeeper(parts.settings, parts.stored_tokens, parts.clock)
    refused = Refused(parts.audit.keep, parts.clock)
    _guard(console, parts.clock, keeper, parts.settings.host)
    _sign_in(console, keeper, refused)
    _elsewhere(console)
    console.after_request(_dressed)
    console.register_error_handler(Refusal, partial(_refused, refused))
    console.register_error_handler(BadFilter, lambda error: _said(422, str(error)))
    console.register_error_handler(UnknownCursor, _unknown_cursor)
    console.register_error_handler(StoreUnavailable, lambda error: _said(503, str(error)))
    console.register_error_handler(HTTPException, _http_error)
    return console


def _guard(
    console: Blueprint, clock: Callable[[], float], keeper: Doorkeeper, own_host: str
) -> None:
    @console.before_request
    def admit() -> Response | None:
        """Who asks, and whether that person may, before the body is read."""
        g.now = clock()
        g.nonce = request.cookies.get(FORM) or new_nonce()
        g.person, g.session = None, ""
        if changes(request.method) and from_elsewhere(request.environ):
            return _said(403, "A page of another address sent this form. Nothing was changed.")
        if "\0" in request.path:
            return _said(404, _NO_PAGE)
        if request.endpoint in _FOR_EVERYBODY:
            return None
        return _turned_away(keeper, own_host)


def _turned_away(keeper: Doorkeeper, own_host: str) -> Response | None:
    """The answer to whoever may not have this page. None for all others.

    Raises:
        Forbidden: the person lacks the role.
    """
    found = _person(keeper)
    if not isinstance(found, Person):
        return _to_sign_in()
    if found.name == _without_token(keeper) and not _asks_here(own_host):
        return _to_sign_in()
    g.person = found
    endpoint, change = request.endpoint or "", changes(request.method)
    if shows_no_token(found) and (change or not allowed(found, endpoint, request.method)):
        return _to_sign_in()
    require(found, endpoint, request.method)
    if keeper.is_open and change:
        refusal = turn_away_change(request.environ, own_host, forms=True)
        if refusal is not None:
            return _said(refusal.status, from_json(refusal.body)["error"])
    return None


def _asks_here(own_host: str) -> bool:
    """Whether a request is for this machine by its Host header. A web page whose name was made to
    lead here (DNS rebinding) asks for its own name, and may read nothing without a token."""
    return is_this_machine(request.environ.get("HTTP_HOST", ""), own_host)


def _person(keeper: Doorkeeper) -> Person | Unauthorized:
    """Who asks: the holder of the session's token, or whoever may ask without one."""
    cookie, address = session_cookie(), request.remote_addr or ""
    secret = opened(cookie, g.now)
    found = keeper.person(None if secret is None else _header(secret), address)
    if isinstance(found, Unauthorized):
        return found
    if secret is not None:
        g.session = cookie
    return replace(found, via="console")


def _header(secret: bytes) -> str:
    """The token as the API is given it."""
    return f"Bearer {secret.decode('latin-1')}"


def _to_sign_in() -> Response:
    """Away to the sign-in, and back afterwards. A form that was sent is not kept."""
    if changes(request.method):
        return _said(401, "You are not signed in. Sign in, and then do it again: nothing was done.")
    response = _redirect(url_for("console.sign_in", to=request.full_path.removesuffix("?")))
    # With a request that another site began no cookie comes, and none is taken away.
    if session_cookie():
        response.delete_cookie(SESSION, path=PATH)
    return response


def _redirect(path: str) -> Response:
    found = redirect(path, 303)
    return Response(found.data, found.status, found.headers)


def _sign_in(console: Blueprint, keeper: Doorkeeper, refused: Refused) -> None:
    @console.get("/sign-in")
    def sign_in() -> Response:
        # The session's cookie comes with no request that another site began, such as a link in
        # Slack. Asked once more by this page itself, the browser sends it.
        again = request.headers.get("Sec-Fetch-Site") == "cross-site"
        return _sign_in_page(own_path(request.args.get("to", "")), again=again)

    @console.post("/sign-in")
    def signed_in() -> Response:
        fields = form()
        to, secret = own_path(fields.get("to", "")), fields.get("token", "").strip().encode()
        address = request.remote_addr or ""
        found = keeper.person(_header(secret), address) if secret else None
        if not isinstance(found, Person) or found.name == _without_token(keeper):
            said = "This token is not known, or it is over. Nobody was signed in."
            refused.unauthorized("POST", request.path, address, said)
            return _sign_in_page(to, 401, said)
        response = _redirect(to)
        host = request.environ.get("HTTP_HOST", "")
        keep(response, SESSION, sealed(secret, int(g.now) + SESSION_S), host, SESSION_S)
        return response

    @console.post("/sign-out")
    def sign_out() -> Response:
        form()
        response = _redirect(url_for("console.sign_in"))
        response.delete_cookie(SESSION, path=PATH)
        return response


def _sign_in_page(to: str, status: int = 200, said: str = "", *, again: bool = False) -> Response:
    return page("sign_in.html", status, to=to, said=said, again=again)


def _without_token(keeper: Doorkeeper) -> str | None:
    return None if keeper.without is None else keeper.without.name


def _elsewhere(console: Blueprint) -> None:
    @console.get("/")
    def slash() -> Response:
        return _redirect(PATH)

    @console.get("/<path:rest>")
    def nothing(rest: str) -> Response:
        return _said(404, _NO_PAGE)


def _dressed(response: Response) -> Response:
    """What every answer carries: the policy of the pages, and the cookie of their forms."""
    response.headers.update(HEADERS)
    if request.endpoint != "console.static" and request.cookies.get(FORM) != g.nonce:
        keep(response, FORM, g.nonce, request.environ.get("HTTP_HOST", ""))
    return response


def _said(status: int, sentence: str) -> Response:
    return page("refused.html", status, said=sentence)


def _refused(refused: Refused, error: Refusal) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    if isinstance(error, Forbidden) and g.person is not None:
        refused.forbidden(request.method, request.path, g.person, error.sentence)
    return _said(status, error.sentence)


def _unknown_cursor(_error: UnknownCursor) -> Response:
    return _said(422, "This page of the list is not known. Go back to the first one.")


def _http_error(error: HTTPException) -> Response:
    return _said(error.code or 500, error.description or error.name)
