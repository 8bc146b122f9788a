"""The web application, put together from its parts."""

from __future__ import annotations

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from service.domain.errors import StoreUnavailable
from service.web import api, ops, webhooks
from service.web.answers import refusal
from service.web.group_commit import GroupCommitter
from service.web.parts import WebParts

COMMITTER = "runbookd.committer"
"""Where the app keeps its committer (`app.extensions`), so that a server can close it."""

_log = structlog.get_logger(__name__)


def create_app(parts: WebParts) -> Flask:
    """The application; its committer thread begins with the first notification."""
    app = Flask("runbookd", static_folder=None)
    committer = GroupCommitter(parts.admit, parts.clock)
    app.extensions[COMMITTER] = committer
    app.register_blueprint(webhooks.blueprint(parts.settings, committer.submit, parts.clock))
    app.register_blueprint(api.blueprint(parts.settings, parts.queries))
    app.register_blueprint(ops.blueprint(parts))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreUnavailable, lambda error: refusal(503, f"{error}."))
    app.register_error_handler(Exception, _unexpected)
    return app


def _http_error(error: HTTPException) -> Response:
    code = error.code or 500
    if code == 404:  # noqa: PLR2004 - the HTTP status
        return refusal(404, f"There is nothing at {request.path!a}.")
    if code == 405:  # noqa: PLR2004 - the HTTP status
        response = refusal(405, f"{request.method} is not possible at {request.path!a}.")
        if allowed := getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response
    headers = error.get_headers()
    response = refusal(code, error.description or error.name)
    for name, value in headers:
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    """Never a stack trace: it goes to the log. A webhook's sender is asked to try again."""
    _log.error("a request failed", path=request.path, exc_info=error)
    status = 503 if request.path.startswith("/webhooks/") else 500
    return refusal(status, "Something unexpected went wrong here; the log says what.")
