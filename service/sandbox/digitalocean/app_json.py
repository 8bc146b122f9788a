"""App Platform's objects as its API writes them. The numbers of an instance size are strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.wire import Json
from service.sandbox.digitalocean.app import App, Deployment
from service.sandbox.digitalocean.app_spec import SCALED_KINDS, components, count_of, size_of
from service.sandbox.digitalocean.sizes import AppSize
from service.sandbox.quizmentor.load import APP_MEMORY_PERCENT

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

_REGION = {
    "slug": "nyc",
    "label": "New York",
    "flag": "usa",
    "continent": "North America",
    "data_centers": ["nyc1", "nyc3"],
    "default": True,
}
_COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""QuizMentor's only commit here: scaling never ships new code."""

_MONTH_SECONDS = 28 * 24 * 3600
"""DigitalOcean bills a month as at most 28 days (672 hours)."""


def app_json(app: App, now: float) -> Json:
    """An app with its spec, and with its active, running and pinned deployments."""
    host = f"{app.spec['name']}.ondigitalocean.app"
    body: Json = {
        "id": app.id,
        "owner_uuid": "00000000-0000-4000-8000-000000000001",
        "project_id": "00000000-0000-4000-8000-000000000002",
        "spec": app.spec,
        "default_ingress": f"https://{host}",
        "live_url": f"https://{host}",
        "live_url_base": f"https://{host}",
        "live_domain": host,
        "created_at": iso_seconds(app.created_at),
        "updated_at": iso_seconds(app.updated_at),
        "last_deployment_created_at": iso_seconds(app.deployments[0].created_at),
        "region": _REGION,
        "tier_slug": _tier(app.spec),
    }
    if active := app.active:
        body["active_deployment"] = deployment_json(active, now)
    if under_way := app.under_way:
        waits = under_way.phase(now) == "PENDING_BUILD"
        key = "pending_deployment" if waits else "in_progress_deployment"
        body[key] = deployment_json(under_way, now)
    if app.pinned:
        body["pinned_deployment"] = deployment_json(app.pinned, now)
    return body


def deployment_json(deployment: Deployment, now: float) -> Json:
    """A deployment with its phase at `now`."""
    phase = deployment.phase(now)
    changed = iso_seconds(deployment.ended_at or now)
    return {
        "id": deployment.id,
        "cause": deployment.cause,
        "spec": deployment.spec,
        "services": [
            {"name": part["name"], "source_commit_hash": _COMMIT}
            for _, part in components(deployment.spec, ("services",))
        ],
        "phase": phase,
        "phase_last_updated_at": changed,
        "created_at": iso_seconds(deployment.created_at),
        "updated_at": changed,
        "progress": _progress(phase),
        "tier_slug": _tier(deployment.spec),
    }


def size_json(size: AppSize) -> Json:
    """An instance size as the vendor lists it."""
    return {
        "slug": size.slug,
        "name": size.name,
        "cpu_type": "DEDICATED" if size.dedicated else "SHARED",
        "cpus": str(size.vcpus),
        "memory_bytes": str(size.memory_mb * 1024 * 1024),
        "usd_per_month": f"{size.usd_month:.2f}",
        "usd_per_second": f"{size.usd_month / _MONTH_SECONDS:.10f}",
        "tier_slug": size.tier,
        "scalable": size.autoscales,
        "single_instance_only": size.single_instance_only,
        "bandwidth_allowance_gib": str(size.transfer_gib),
        "deprecation_intent": size.deprecated,
    }


def health_json(app: App, cloud: Cloud, now: float) -> list[Json]:
    """Instances and load of each running component, as the vendor's health operation shows them."""
    wanted = {
        part["name"]: count_of(part)
        for one in [app.under_way]
        if one and one.phase(now) == "DEPLOYING"
        for _, part in components(one.spec, SCALED_KINDS)
    }
    return [
        {
            "name": name,
            "cpu_usage_percent": round(cloud.cpu_percent(app.id, name), 2),
            "memory_usage_percent": APP_MEMORY_PERCENT,
            "replicas_desired": wanted.get(name, cloud.instances(app.id, name)),
            "replicas_ready": cloud.instances(app.id, name),
            "state": "HEALTHY",
        }
        for name in app.running
    ]


def _tier(spec: Json) -> str:
    tiers = {size_of(part).tier for _, part in components(spec, SCALED_KINDS)}
    return "professional" if "professional" in tiers else "basic"


_STEPS_DONE = {"PENDING_BUILD": 0, "BUILDING": 0, "PENDING_DEPLOY": 1, "DEPLOYING": 1}
_WAITS = frozenset({"PENDING_BUILD", "PENDING_DEPLOY"})
_STEPS = ("build", "deploy")


def _progress(phase: str) -> Json:
    done = _STEPS_DONE.get(phase, 2 if phase == "ACTIVE" else 0)
    running = int(phase in _STEPS_DONE and phase not in _WAITS)
    return {
        "success_steps": done,
        "running_steps": running,
        "pending_steps": len(_STEPS) - done - running,
        "error_steps": 0,
        "total_steps": len(_STEPS),
        "steps": [
            {"name": name, "status": _step_status(at, done, running)}
            for at, name in enumerate(_STEPS)
        ],
    }


def _step_status(at: int, done: int, running: int) -> str:
    if at < done:
        return "SUCCESS"
    return "RUNNING" if at < done + running else "PENDING"
