"""The control interface `/_sandbox`, for people and tests: state, load, faults, reset."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from service.sandbox.cloud import Cloud
from service.sandbox.cloudflare.control import CloudflareControlError, change_zone, zone_json
from service.sandbox.config import MAX_EXTRA_APPS
from service.sandbox.core.faults import FaultError
from service.sandbox.core.names import vendor_names
from service.sandbox.core.tokens import Tokens, TokensError
from service.sandbox.core.wire import Json
from service.sandbox.digitalocean.billing_control import (
    BillingControlError,
    billing_json,
    change_billing,
)
from service.sandbox.digitalocean.cluster_control import (
    ClusterControlError,
    change_cluster,
    cluster_json,
)
from service.sandbox.digitalocean.control import DropletControlError, change_droplet, droplet_json
from service.sandbox.quizmentor.load import BUCKETS_MS, Load
from service.sandbox.quizmentor.site import SiteControlError, change_site, site_json
from service.sandbox.slack.control import SlackControlError, change_workspace, workspace_json
from service.sandbox.slack.pressing import add_pressing
from service.sandbox.spaces.control import SpacesControlError, change_spaces, spaces_json
from service.sandbox.state_json import state_json
from service.sandbox.supabase.control import (
    SupabaseControlError,
    change_project,
    project_json,
)

LONGEST_ACTION = 3600.0
"""Seconds of `action_seconds`."""


class ControlError(ValueError):
    """Why the control interface refuses a request, in one sentence."""


def control_blueprint(cloud: Cloud) -> Blueprint:
    """The routes under `/_sandbox` for one cloud. Bad input is answered 422 with one sentence."""
    control = Blueprint("control", __name__, url_prefix="/_sandbox")
    _add_state(control, cloud)
    _add_faults(control, cloud)
    add_pressing(control, cloud)
    for name, change, shown in (
        ("billing", change_billing, billing_json),
        ("cloudflare", change_zone, zone_json),
        ("droplet", change_droplet, droplet_json),
        ("site", change_site, site_json),
        ("spaces", change_spaces, spaces_json),
        ("slack", change_workspace, workspace_json),
        ("supabase", change_project, project_json),
        ("tokens", _order_tokens, _tokens_json),
        ("valkey", change_cluster, cluster_json),
    ):
        view = _changing(cloud, change, shown)
        control.add_url_rule(f"/{name}", name, view, methods=["POST"])

    @control.errorhandler(ControlError)
    @control.errorhandler(CloudflareControlError)
    @control.errorhandler(BillingControlError)
    @control.errorhandler(ClusterControlError)
    @control.errorhandler(DropletControlError)
    @control.errorhandler(SiteControlError)
    @control.errorhandler(SlackControlError)
    @control.errorhandler(SpacesControlError)
    @control.errorhandler(SupabaseControlError)
    @control.errorhandler(FaultError)
    @control.errorhandler(TokensError)
    def refused(error: ValueError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 422

    return control


def _add_state(control: Blueprint, cloud: Cloud) -> None:
    """State, calls, load and reset."""

    @control.get("/state")
    def state() -> Response:
        with cloud.at_now() as now:
            return jsonify(state_json(cloud, now))

    @control.get("/calls")
    def calls() -> Response:
        with cloud.at_now():
            return jsonify(list(cloud.recorder.calls))

    @control.post("/load")
    def load() -> Response:
        with cloud.at_now():
            cloud.load = changed_load(cloud.load, _json())
            return jsonify(asdict(cloud.load))

    @control.post("/reset")
    def reset() -> Response:
        cloud.reset(reset_changes(_json(default={})))
        shown = asdict(cloud.config)
        del shown["slack_signing_secret"]
        return jsonify(shown)


def _add_faults(control: Blueprint, cloud: Cloud) -> None:
    @control.get("/faults")
    def faults() -> Response:
        with cloud.at_now():
            return jsonify(cloud.faults.shown())

    @control.post("/faults")
    def add_fault() -> tuple[Response, int]:
        with cloud.at_now():
            return jsonify(cloud.faults.add(_json())), 201

    @control.delete("/faults")
    def clear_faults() -> Response:
        with cloud.at_now():
            cloud.faults.waiting.clear()
            return jsonify([])


def _changing(
    cloud: Cloud, change: Callable[[Cloud, Any, float], None], shown: Callable[[Cloud], Json]
) -> Callable[[], Response]:
    """A view that changes one vendor's state by the body, and answers the new state."""

    def view() -> Response:
        with cloud.at_now() as now:
            change(cloud, _json(), now)
            return jsonify(shown(cloud))

    return view


def _order_tokens(cloud: Cloud, body: Any, _now: float) -> None:
    cloud.state(Tokens).order(body, vendor_names())


def _tokens_json(cloud: Cloud) -> Json:
    return cloud.state(Tokens).shown()


def changed_load(load: Load, body: Any) -> Load:
    """The load with the fields of the body changed. With a p95_ms of null, latency follows from the
    load.

    Raises:
        ControlError: the body makes no sense.
    """
    if not isinstance(body, dict):
        raise ControlError('The load must be a JSON object such as {"rps": 360}.')
    if unknown := sorted(set(body) - set(_LOAD_BOUNDS)):
        raise ControlError(f"A load has no {unknown[0]!r}; it has {', '.join(_LOAD_BOUNDS)}.")
    changes: Json = {name: _load_value(name, value) for name, value in body.items()}
    return replace(load, **changes)


_LOAD_BOUNDS = {
    "rps": 1_000_000.0,
    "memory_percent": 10_000.0,
    "errors_per_s": 1_000_000.0,
    "p95_ms": BUCKETS_MS[-1],
    "db_connections": 1_000_000.0,
}
"""The largest value of each field. Memory may be more than the first droplet size has."""


def _load_value(name: str, value: Any) -> float | int | None:
    if name == "p95_ms" and value is None:
        return None
    if not _number(value) or not 0 <= value <= _LOAD_BOUNDS[name]:
        raise ControlError(f"{name} must be a number from 0 to {_LOAD_BOUNDS[name]:g}.")
    if name == "db_connections":
        if value != int(value):
            raise ControlError("db_connections must be a whole number.")
        return int(value)
    return float(value)


def reset_changes(body: Any) -> Json:
    """The fields of the configuration that a reset changes.

    Raises:
        ControlError: the body makes no sense.
    """
    if not isinstance(body, dict):
        raise ControlError("A reset takes a JSON object or nothing.")
    return {name: _reset_value(name, value) for name, value in body.items()}


def _reset_value(name: str, value: Any) -> float | bool:
    if name == "action_seconds":
        if not _number(value) or not 0 <= value <= LONGEST_ACTION:
            raise ControlError(f"action_seconds must be from 0 to {LONGEST_ACTION:g}.")
        return float(value)
    if name == "rate_limits":
        if not isinstance(value, bool):
            raise ControlError("rate_limits must be true or false.")
        return value
    if name == "extra_apps":
        if type(value) is not int or not 0 <= value <= MAX_EXTRA_APPS:
            raise ControlError(f"extra_apps must be a whole number from 0 to {MAX_EXTRA_APPS}.")
        return value
    raise ControlError(f"A reset has no {name!r}; it has action_seconds, rate_limits, extra_apps.")


def _number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _json(default: Any = None) -> Any:
    """The body as JSON, whatever its content type: `curl -d` says that it is a form."""
    raw = request.get_data()
    if not raw.strip() and default is not None:
        return default
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ControlError("The body must be JSON.") from None
