"""The state of the whole cloud as JSON, for `GET /_sandbox/state`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.cloudflare.control import zone_json
from service.sandbox.core.wire import Json
from service.sandbox.digitalocean.cluster_control import cluster_json
from service.sandbox.digitalocean.droplet import Droplet
from service.sandbox.digitalocean.droplets import snapshot_json
from service.sandbox.pagerduty.state import Pager, incident_json
from service.sandbox.quizmentor import load as quizmentor
from service.sandbox.slack.state import Workspace, message_json
from service.sandbox.spaces.control import spaces_json
from service.sandbox.supabase.project import Project


def state_json(cloud: Cloud, now: float) -> Json:
    """What runs (not what was requested), incidents, messages, load and metrics."""
    return {
        "apps": {app_id: _app(cloud, app_id, now) for app_id in cloud.apps},
        "droplets": {str(one.id): _droplet(one) for one in cloud.droplets.values()},
        "supabase": {one.ref: _project(one, now) for one in cloud.projects.values()},
        "pagerduty": {
            "open": [incident_json(one) for one in cloud.state(Pager).open.values()],
            "resolved": [incident_json(one) for one in cloud.state(Pager).resolved],
            "changes": cloud.state(Pager).changes,
        },
        "slack": {"messages": [message_json(one) for one in cloud.state(Workspace).messages]},
        "cloudflare": {cloud.config.cloudflare_zone: zone_json(cloud)},
        "spaces": spaces_json(cloud),
        "valkey": {cloud.config.valkey_cluster: cluster_json(cloud)},
        "load": asdict(cloud.load),
        "metrics": _metrics(cloud),
        "config": asdict(cloud.config),
    }


def _app(cloud: Cloud, app_id: str, now: float) -> Json:
    app = cloud.apps[app_id]
    components: dict[str, Any] = {
        name: {
            "instances": cloud.instances(app_id, name),
            "size": running.size,
            "autoscaling": None if running.autoscaling is None else asdict(running.autoscaling),
        }
        for name, running in app.running.items()
    }
    latest = app.deployments[0]
    return {
        "components": components,
        "deployments": len(app.deployments),
        "latest_deployment": {"id": latest.id, "phase": latest.phase(now), "cause": latest.cause},
    }


def _droplet(droplet: Droplet) -> Json:
    under_way = droplet.under_way
    return {
        "size": droplet.size,
        "status": droplet.status,
        "disk": droplet.disk_gb,
        "snapshots": [snapshot_json(one) for one in droplet.snapshots],
        "action": under_way.request.type if under_way else None,
    }


def _project(project: Project, now: float) -> Json:
    return {
        "compute": project.compute,
        "status": project.status,
        "replicas": [
            {"identifier": one.identifier, "region": one.region, "status": one.status(now)}
            for one in project.replicas
        ],
        "pooler": {"default_pool_size": project.pool_size, "pool_mode": project.pool_mode},
        "postgres": project.settings,
    }


def _metrics(cloud: Cloud) -> Json:
    load, capacity = cloud.load, cloud.capacity()
    return {
        "cpu_percent": round(quizmentor.cpu_percent(load, capacity), 3),
        "memory_percent": round(quizmentor.memory_percent(load, capacity), 3),
        "p95_ms": round(quizmentor.p95_ms(load, capacity), 3),
        "errors_per_s": load.errors_per_s,
        "rps": load.rps,
        "db_connections_in_use": quizmentor.db_connections_in_use(load, capacity),
        "db_connections_available": quizmentor.db_connections_available(load, capacity),
        "cache_hit_ratio": quizmentor.CACHE_HIT_RATIO,
    }
