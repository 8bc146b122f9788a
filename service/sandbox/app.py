"""The sandbox as a Flask application: vendors, control interface, metrics, health."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import replace
from typing import Any

from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider

from service.sandbox.cloud import Cloud
from service.sandbox.config import SandboxConfig
from service.sandbox.control import control_blueprint
from service.sandbox.core.clock import Clock
from service.sandbox.core.wire import Answer, Call
from service.sandbox.dispatch import VENDORS, dispatch
from service.sandbox.quizmentor.exposition import render
from service.sandbox.quizmentor.site import visit

LARGEST_BODY = 16 * 1024 * 1024
CONTROLS = ("state", "calls", "load", "faults", "droplet", "site", "reset")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
PHASE_HEADER = "X-Load-Phase"
"""By which a load test says what a request belongs to."""
LONGEST_PHASE = 100
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def create_app(config: SandboxConfig, clock: Clock = time.time) -> Flask:
    """A sandbox with its own state. Unit tests pass a `clock` that they move by hand."""
    app = Flask("service.sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    _keep_order(app)
    cloud = Cloud(config, clock)
    app.register_blueprint(control_blueprint(cloud))

    @app.get("/")
    def index() -> dict[str, list[str]]:
        return {
            "vendors": [f"/{name}" for name in VENDORS],
            "control": [f"/_sandbox/{name}" for name in CONTROLS],
            "metrics": ["/metrics"],
            "quizmentor": ["/auth/login", "/api/quiz", "/api/quiz/submit", "/api/quiz/results"],
        }

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    def metrics() -> Response:
        with cloud.at_now():
            return Response(render(cloud), content_type=METRICS_TYPE)

    _add_site(app, cloud)

    @app.route("/<vendor>/<path:path>", methods=METHODS)
    def vendor_call(vendor: str, path: str) -> Response:
        if vendor not in VENDORS:
            names = ", ".join(VENDORS)
            return _json_response(
                Answer(404, {"error": f"There is no vendor {vendor!r} here; there are {names}."})
            )
        answer = dispatch(cloud, read_call(vendor, f"/{path}", request))
        return _json_response(answer) if answer else _hang_up(request)

    return app


def _add_site(app: Flask, cloud: Cloud) -> None:
    """QuizMentor itself, for load tests."""

    @app.route("/auth/login", methods=METHODS)
    @app.route("/api/<path:_path>", methods=METHODS)
    def site(_path: str = "") -> Response:
        call = read_call("quizmentor", request.path, request)
        with cloud.at_now() as now:
            phase = request.headers.get(PHASE_HEADER, "")[:LONGEST_PHASE]
            given = visit(cloud, replace(call, now=now), phase)
        time.sleep(given.takes_s)
        return _json_response(given)


def _keep_order(app: Flask) -> None:
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False


def read_call(vendor: str, path: str, incoming: Request) -> Call:
    """The request as the vendor sees it. `dispatch` sets `now`."""
    body = _body(incoming)
    return Call(
        vendor=vendor,
        method=incoming.method,
        path=path,
        query=incoming.args.to_dict(flat=False),
        body=body,
        raw=incoming.get_data(),
        token=_token(incoming, body),
        base_url=f"{incoming.host_url}{vendor}",
        now=0.0,
        headers=dict(incoming.headers),
    )


def _body(incoming: Request) -> Any:
    raw = incoming.get_data(cache=True, parse_form_data=False)
    if incoming.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return incoming.form.to_dict() or incoming.args.to_dict() or None
    if not raw:
        return None
    try:
        return json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _token(incoming: Request, body: Any) -> str:
    scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    # Slack also takes its token as an argument.
    return str(body.get("token") or "") if isinstance(body, dict) else ""


def _json_response(answer: Answer) -> Response:
    if answer.body is None:
        response = Response(status=answer.status)
    elif isinstance(answer.body, str | bytes):
        response = Response(answer.body, status=answer.status, content_type="text/plain")
    else:
        text = json.dumps(answer.body)
        response = Response(text, status=answer.status, content_type="application/json")
    response.headers.update(answer.headers)
    return response


def _hang_up(incoming: Request) -> Response:
    """Close the connection below the server, so that no byte of an answer is sent."""
    connection = incoming.environ.get("werkzeug.socket") or incoming.environ.get("gunicorn.socket")
    if connection is None:
        raise ConnectionResetError("The sandbox closed the connection, as a fault asked it to.")
    with contextlib.suppress(OSError):  # the caller may have closed it already
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=503)
