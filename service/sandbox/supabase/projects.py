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
        "organization_id": "quizmentor",
        "organization_slug": "quizmentor",
        "name": "quizmentor",
        "region": "us-east-1",
        "created_at": iso_millis(project.created_at),
        "status": project.status,
        "database": {
            "host": f"db.{project.ref}.supabase.co",
            "version": "15.8.1.085",
            "postgres_engine": "15",
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
    Route("GET", f"{ONE}/health", health, ("project_admin_read",)),
)
