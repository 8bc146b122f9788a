"""The web application, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery, Receipt
from service.providers.slack_replies import SLACKS
from service.providers.slack_replies import reply as slack_reply
from service.settings import Settings
from service.web import api, console, ops, slack
from service.web.addresses import not_that_way, nothing_there
from service.web.answers import refusal
from service.web.body import BodyCutShort, BodyTooLarge, declared_length, read_body
from service.web.concurrency import Concurrency, Threads
from service.web.control import LARGEST_BODY
from service.web.group_commit import GroupCommitter
from service.web.last_resort import LastResort
from service.web.parts import WebParts
from service.web.slack import HEAD_ONLY
from service.web.webhooks import Submit, Webhooks, endpoints

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

COMMITTER = "runbookd.committer"
LAST_RESORT = "runbookd.last_resort"
"""The keys in `app.extensions` of the parts that a server starts and closes."""

_log = structlog.get_logger(__name__)


def create_app(parts: WebParts, concurrency: Concurrency | None = None) -> Flask:
    """The application. The server that runs it must start its last resort (`LAST_RESORT`).

    The committer starts itself with the first notification. `concurrency` says how the server runs
    requests beside each other. Without it, each request has a thread.
    """
    concurrency = concurrency or Threads()
    app = Flask("runbookd", static_folder=None)
    committer = GroupCommitter(parts.admit, parts.clock, concurrency=concurrency)
    last_resort = LastResort(parts.last_resort)
    app.extensions[COMMITTER] = committer
    app.extensions[LAST_RESORT] = last_resort
    app.register_blueprint(api.blueprint(parts))
    app.register_blueprint(console.blueprint(parts))
    app.register_blueprint(slack.blueprint(parts, slack_reply, _slacks(parts.settings)))
    app.register_blueprint(ops.blueprint(parts, committer.kept_within))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreUnavailable, _store_down)
    app.register_error_handler(Exception, _unexpected)
    own_endpoints = endpoints(
        parts.settings, _watched(committer.submit, last_resort), concurrency, parts.clock
    )
    health = concurrency.apart(app.wsgi_app)
    rest = _with_body(
        concurrency.off_the_loop(app.wsgi_app),
        lambda environ: concurrency.aside(lambda: _refused_first(app, environ)),
    )
    app.wsgi_app = Webhooks(own_endpoints, _split(health, rest))  # type: ignore[method-assign]  # Flask's way
    return app


def _slacks(settings: Settings) -> str:
    """How the addresses begin at which a press is answered: Slack's, or the sandbox's."""
    return f"{settings.sandbox_url.rstrip('/')}/" if settings.sandbox_url else SLACKS


def _watched(submit: Submit, last_resort: LastResort) -> Submit:
    """`submit`, which also tells the last resort of each notification that was not stored."""

    def watched(delivery: Delivery) -> Receipt:
        try:
            return submit(delivery)
        except StoreUnavailable:
            last_resort.not_kept(delivery)
            raise

    return watched


def _refused_first(app: Flask, environ: dict[str, Any]) -> Response | None:
    """The refusal of a request that needs no look at its body: a wrong address, no known token, or
    a role that the person lacks. None where there is none."""
    with app.request_context({**environ, "wsgi.input": BytesIO(), HEAD_ONLY: True}):
        wrong_address = request.routing_exception
        try:
            said = None if wrong_address else app.preprocess_request()
        except Exception as error:
            said = app.handle_user_exception(error)
        if wrong_address is not None:
            said = app.handle_user_exception(wrong_address)
        return None if said is None else app.make_response(said)


def _with_body(
    app: WSGIApplication, refused_first: Callable[[dict[str, Any]], Response | None]
) -> WSGIApplication:
    """The same application, which gets each body whole.

    Only the loop may wait for a connection, and the application reads on another thread. Reading
    there would fail whenever a body arrives after its head. So the loop reads the body first, once
    `refused_first` has found nothing: nobody has a body read who may not send one.
    """

    def with_body(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        has_body = environ.get("CONTENT_LENGTH") not in (None, "", "0")
        if has_body or environ.get("HTTP_TRANSFER_ENCODING"):
            refused = refused_first(environ)
            if refused is not None:
                return refused(environ, start_response)
        try:
            length = declared_length(environ, LARGEST_BODY)
            body = read_body(environ, length, LARGEST_BODY)
        except BodyTooLarge:
            sentence = f"The body is larger than {LARGEST_BODY} bytes; nothing was done."
            return refusal(413, sentence).to_flask()(environ, start_response)
        except BodyCutShort:
            sentence = "The body ended before its end: nothing was done, send it again."
            return refusal(400, sentence).to_flask()(environ, start_response)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start_response)

    return with_body


def _split(health: WSGIApplication, rest: WSGIApplication) -> WSGIApplication:
    """Send health checks to `health`, which has threads of its own, and all others to `rest`.

    Health checks are answered even while every thread of the read API waits.
    """

    def split(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        app = health if environ["PATH_INFO"] in ops.HEALTH else rest
        return app(environ, start_response)

    return split


def _http_error(error: HTTPException) -> Response:
    """Flask's own answer with a JSON body. Its headers (Allow, Location) stay."""
    code = error.code or 500
    sentences = {
        404: nothing_there(request.path),
        405: not_that_way(request.method, request.path),
    }
    response = error.get_response()
    said = refusal(code, sentences.get(code) or error.description or error.name)
    response.data = said.body
    response.content_type = "application/json"
    return Response(response.data, code, response.headers)


def _store_down(error: StoreUnavailable) -> Response:
    return refusal(503, str(error)).to_flask()


def _unexpected(error: Exception) -> Response:
    """A sentence for the client. The stack trace goes to the log only."""
    _log.error("a request failed", path=request.path, exc_info=error)
    return refusal(500, "Something unexpected went wrong here; the log says what.").to_flask()
