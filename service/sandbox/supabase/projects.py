"""Supabase's projects and their health, in the shapes of its OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.core.clock import iso_millis
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json
from service.sandbox.supabase.common import ONE, Args, project_of, refusal
from service.sandbox.supabase.project import Project

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

ORGANIZATION = "quizmentor"
_SERVICES = (
    "auth",
    "db",
    "db_postgres_user",
    "pooler",
    "realtime",
    "rest",
    "storage",
    "pg_bouncer",
)


def list_projects(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects."""
    return Answer(200, [_project_json(one) for one in cloud.projects.values()])


def get_project(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects/{ref}."""
    return Answer(200, _project_json(project_of(cloud, args)))


def list_of_organization(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/organizations/{slug}/projects: each project with its databases and their status."""
    if args["slug"] != ORGANIZATION:
        raise refusal(404, "Organization not found")
    limit, offset = (
        _number(call, name, default) for name, default in (("limit", 100), ("offset", 0))
    )
    found = [_with_databases(one, call.now) for one in cloud.projects.values()]
    page = found[offset : offset + limit]
    counted = {"count": len(found), "limit": limit, "offset": offset}
    return Answer(200, {"projects": page, "pagination": counted})


def _number(call: Call, name: str, default: int) -> int:
    given = call.first(name)
    if given is None:
        return default
    if not given.isdecimal():
        raise refusal(400, f"{name} must be a whole number")
    return int(given)


def _with_databases(project: Project, now: float) -> Json:
    whole = _project_json(project)
    size = "nano" if project.nano else project.compute.removeprefix("ci_")
    primary = {
        "identifier": project.ref,
        "region": whole["region"],
        "status": project.status,
        "type": "PRIMARY",
        "cloud_provider": "AWS",
        "infra_compute_size": size,
    }
    copies = [
        {
            **primary,
            "identifier": one.identifier,
            "region": one.region,
            "status": one.status(now),
            "type": "READ_REPLICA",
        }
        for one in project.replicas
    ]
    told = {key: whole[key] for key in ("ref", "name", "region", "status")}
    return {**told, "databases": [primary, *copies]}


def health(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects/{ref}/health?services=…"""
    project = project_of(cloud, args)
    asked = [name for value in call.query.get("services", []) for name in value.split(",") if name]
    if not asked:
        raise refusal(400, "services: must name at least one service")
    if unknown := [name for name in asked if name not in _SERVICES]:
        raise refusal(400, f"services: {unknown[0]!r} is not one of {', '.join(_SERVICES)}")
    return Answer(200, [_service_json(name, project) for name in asked])


def _project_json(project: Project) -> Json:
    return {
        "id": project.ref,
        "ref": project.ref,
        "organization_id": ORGANIZATION,
        "organization_slug": ORGANIZATION,
        "name": "quizmentor",
        "region": "us-east-1",
        "created_at": iso_millis(project.created_at),
        "status": project.status,
        "database": {
            "host": f"db.{project.ref}.supabase.co",
            "version": f"{project.engine}.8.1.085",
            "postgres_engine": project.engine,
            "release_channel": "ga",
        },
    }


def _service_json(name: str, project: Project) -> Json:
    healthy = project.status == "ACTIVE_HEALTHY"
    body: Json = {
        "name": name,
        "healthy": healthy,
        "status": "ACTIVE_HEALTHY" if healthy else "COMING_UP",
    }
    if not healthy:
        body["error"] = f"The project is {project.status}"
    return body


ROUTES = (
    Route("GET", "/v1/projects", list_projects, ("project_admin_read",)),
    Route("GET", ONE, get_project, ("project_admin_read",)),
    Route(
        "GET",
        "/v1/organizations/<slug>/projects",
        list_of_organization,
        ("organization_projects_read",),
    ),
    Route("GET", f"{ONE}/health", health, ("project_admin_read",)),
)
