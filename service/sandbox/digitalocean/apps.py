"""App Platform's operations, in the shapes of DigitalOcean's OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, one_of
from service.sandbox.digitalocean.app import App
from service.sandbox.digitalocean.app_json import app_json, deployment_json, health_json, size_json
from service.sandbox.digitalocean.app_spec import SpecError, Vault, accept, monthly_cost
from service.sandbox.digitalocean.routes import not_found, page, refusal
from service.sandbox.digitalocean.sizes import APP_SIZES

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]


def list_apps(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps."""
    apps = [app_json(app, call.now) for app in cloud.apps.values()]
    return Answer(200, page(call, "apps", apps))


def get_app(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/{id}."""
    return Answer(200, {"app": app_json(_app(cloud, args), call.now)})


def update_app(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PUT /v2/apps/{id}: replaces the whole spec and starts a deployment, even if it is equal."""
    app = _app(cloud, args)
    _refuse_when_pinned(app)
    spec = _accepted(call, app.vault)
    if _name_taken(cloud, spec["name"], app):
        raise refusal(409, "conflict", f"An app named {spec['name']!r} already exists.")
    app.deploy(spec, call.now, cloud.config.action_seconds, cause="app spec updated")
    return Answer(200, {"app": app_json(app, call.now)})


def propose(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/propose: checks a spec and states its price. Changes nothing."""
    app_id = as_object(call.body).get("app_id")
    app = _app(cloud, {"app_id": str(app_id)}) if app_id else None
    spec = _accepted(call, {**app.vault} if app else {})
    free = not _name_taken(cloud, spec["name"], app)
    body: Json = {
        "app_is_static": not any(spec.get(kind) for kind in ("services", "workers", "jobs")),
        "app_name_available": free,
        "existing_static_apps": "0",
        "spec": spec,
        "app_cost": monthly_cost(spec),
    }
    if not free:
        body["app_name_suggestion"] = f"{spec['name'][:30]}-2"
    return Answer(200, body)


def list_deployments(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/{id}/deployments, newest first."""
    deployments = [deployment_json(one, call.now) for one in _app(cloud, args).deployments]
    return Answer(200, page(call, "deployments", deployments))


def get_deployment(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/{id}/deployments/{deployment_id}."""
    deployment = _app(cloud, args).find(args["deployment_id"])
    if deployment is None:
        raise not_found()
    return Answer(200, {"deployment": deployment_json(deployment, call.now)})


def create_deployment(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/{id}/deployments: deploys the present spec with the latest code."""
    return _redeploy(cloud, call, args, "manual deployment")


def restart(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/{id}/restart: restarts all components, or those that are named."""
    running = _app(cloud, args).running
    wanted = as_object(call.body).get("components") or []
    if not isinstance(wanted, list) or not all(one_of(name, running) for name in wanted):
        raise refusal(400, "bad_request", f"components must be among {', '.join(running)}")
    return _redeploy(cloud, call, args, "restart")


def roll_back(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/{id}/rollback: deploys a former deployment, and pins the app to it."""
    app, body = _app(cloud, args), as_object(call.body)
    _refuse_when_pinned(app)
    former = app.find(str(body.get("deployment_id")))
    if former is None:
        raise not_found()
    fresh = app.roll_back(former, call.now, cloud.config.action_seconds)
    if body.get("skip_pin") is True:
        app.unpin()
    return Answer(200, {"deployment": deployment_json(fresh, call.now)})


def commit_rollback(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/{id}/rollback/commit: keeps the spec of the rollback."""
    _pinned(cloud, args).unpin()
    return Answer(200)


def revert_rollback(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/apps/{id}/rollback/revert: deploys the spec before the rollback."""
    app = _pinned(cloud, args)
    before = app.unpin() or app.spec
    fresh = app.deploy(before, call.now, cloud.config.action_seconds, cause="rollback reverted")
    return Answer(200, {"deployment": deployment_json(fresh, call.now)})


def _pinned(cloud: Cloud, args: Args) -> App:
    app = _app(cloud, args)
    if app.pinned is None:
        raise refusal(400, "bad_request", "the app is not pinned to a rollback")
    return app


def _refuse_when_pinned(app: App) -> None:
    """Refuse a deployment of a pinned app. The vendor documents this, but not the status."""
    if app.pinned is not None:
        raise refusal(
            400, "bad_request", "the app is pinned to a rollback; commit or revert it first"
        )


def list_instance_sizes(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/tiers/instance_sizes."""
    sizes = [size_json(size) for size in APP_SIZES.values()]
    return Answer(200, {"discount_percent": 0.0, "instance_sizes": sizes})


def get_instance_size(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/tiers/instance_sizes/{slug}."""
    size = APP_SIZES.get(args["slug"])
    if size is None:
        raise not_found()
    return Answer(200, {"instance_size": size_json(size)})


def health(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/apps/{id}/health: the instances and the load of each component."""
    app = _app(cloud, args)
    return Answer(200, {"app_health": {"components": health_json(app, cloud, call.now)}})


def cpu_metrics(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/monitoring/metrics/apps/cpu_percentage."""
    return _metrics(cloud, call, "cpu_usage_percent")


def memory_metrics(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/monitoring/metrics/apps/memory_percentage."""
    return _metrics(cloud, call, "memory_usage_percent")


def _app(cloud: Cloud, args: Args) -> App:
    app = cloud.apps.get(args["app_id"])
    if app is None:
        raise not_found()
    return app


def _accepted(call: Call, vault: Vault) -> Json:
    body = as_object(call.body)
    if "spec" not in body:
        raise refusal(400, "bad_request", "spec is required")
    try:
        return accept(body["spec"], vault)
    except SpecError as error:
        raise refusal(400, "bad_request", str(error)) from None


def _name_taken(cloud: Cloud, name: str, app: App | None) -> bool:
    return any(other.spec["name"] == name for other in cloud.apps.values() if other is not app)


def _redeploy(cloud: Cloud, call: Call, args: Args, cause: str) -> Answer:
    app = _app(cloud, args)
    _refuse_when_pinned(app)
    deployment = app.deploy(app.spec, call.now, cloud.config.action_seconds, cause=cause)
    return Answer(200, {"deployment": deployment_json(deployment, call.now)})


def _metrics(cloud: Cloud, call: Call, reading: str) -> Answer:
    """The present value only: the sandbox keeps no history of metrics."""
    app = cloud.apps.get(call.first("app_id") or "")
    if app is None:
        raise not_found()
    start, end = _instant(call, "start"), _instant(call, "end")
    within = start <= call.now <= end + 1
    wanted = call.first("app_component")
    series = [
        _series(app, part, reading, call.now)
        for part in health_json(app, cloud, call.now)
        if within and wanted in {None, part["name"]}
    ]
    return Answer(200, {"status": "success", "data": {"resultType": "matrix", "result": series}})


def _series(app: App, part: Json, reading: str, now: float) -> Json:
    labels = {"app_uuid": app.id, "app_component": part["name"]}
    return {"metric": labels, "values": [[int(now), str(part[reading])]]}


def _instant(call: Call, name: str) -> float:
    text: Any = call.first(name)
    try:
        return float(text)
    except (TypeError, ValueError):
        raise refusal(400, "bad_request", f"{name} must be a Unix timestamp") from None


_ONE = "/v2/apps/<app_id>"

ROUTES = (
    Route("GET", "/v2/apps", list_apps, ("app:read",)),
    Route("POST", "/v2/apps/propose", propose, ("app:update",)),
    Route("GET", "/v2/apps/tiers/instance_sizes", list_instance_sizes, ("app:read",)),
    Route("GET", "/v2/apps/tiers/instance_sizes/<slug>", get_instance_size, ("app:read",)),
    Route("GET", _ONE, get_app, ("app:read",)),
    Route("PUT", _ONE, update_app, ("app:update",)),
    Route("GET", f"{_ONE}/health", health, ("app:read",)),
    Route("POST", f"{_ONE}/restart", restart, ("app:update",)),
    Route("POST", f"{_ONE}/rollback", roll_back, ("app:update",)),
    Route("POST", f"{_ONE}/rollback/commit", commit_rollback, ("app:update",)),
    Route("POST", f"{_ONE}/rollback/revert", revert_rollback, ("app:update",)),
    Route("GET", f"{_ONE}/deployments", list_deployments, ("app:read",)),
    Route("POST", f"{_ONE}/deployments", create_deployment, ("app:update",)),
    Route("GET", f"{_ONE}/deployments/<deployment_id>", get_deployment, ("app:read",)),
    Route("GET", "/v2/monitoring/metrics/apps/cpu_percentage", cpu_metrics),
    Route("GET", "/v2/monitoring/metrics/apps/memory_percentage", memory_metrics),
)
