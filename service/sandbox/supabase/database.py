"""Supabase's database operations: read replicas, pooler, Postgres settings, queries.

The replica operations are documented without a body, so they answer an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, one_of
from service.sandbox.supabase import postgres_settings
from service.sandbox.supabase.common import ONE, Args, project_of, refusal, refusals
from service.sandbox.supabase.project import Project
from service.sandbox.supabase.sql import QueryRefusedError, RealDatabase, run_query

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

_REGIONS = frozenset(
    {
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-east-1",
        "ap-southeast-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-north-1",
        "eu-central-1",
        "eu-central-2",
        "ca-central-1",
        "ap-south-1",
        "sa-east-1",
    }
)
_MAX_POOL = 3000


def setup_replica(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v1/projects/{ref}/read-replicas/setup."""
    project, region = project_of(cloud, args), as_object(call.body).get("read_replica_region")
    if not one_of(region, _REGIONS):
        raise refusal(400, "read_replica_region must be one of Supabase's regions")
    with refusals():
        project.add_replica(str(region), call.now, cloud.config.action_seconds)
    return Answer(201)


def remove_replica(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v1/projects/{ref}/read-replicas/remove."""
    project, identifier = project_of(cloud, args), as_object(call.body).get("database_identifier")
    if not isinstance(identifier, str):
        raise refusal(400, "database_identifier is required")
    with refusals():
        project.remove_replica(identifier)
    return Answer(201)


def get_pooler(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects/{ref}/config/database/pooler: the primary, then each replica."""
    project = project_of(cloud, args)
    entries = [_pooler_json(project, project.ref, "PRIMARY")]
    entries += [_pooler_json(project, one.identifier, "READ_REPLICA") for one in project.replicas]
    return Answer(200, entries)


def update_pooler(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PATCH /v1/projects/{ref}/config/database/pooler."""
    project, body = project_of(cloud, args), as_object(call.body)
    size = body.get("default_pool_size", project.pool_size)
    mode = body.get("pool_mode", project.pool_mode)
    if size is not None and (type(size) is not int or not 0 <= size <= _MAX_POOL):
        raise refusal(400, f"default_pool_size must be a whole number from 0 to {_MAX_POOL}")
    if not one_of(mode, ("transaction", "session")):
        raise refusal(400, "pool_mode must be transaction or session")
    project.pool_size, project.pool_mode = size, mode
    return Answer(200, {"default_pool_size": size, "pool_mode": mode})


def get_settings(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects/{ref}/config/database/postgres: the settings that were made, not the
    defaults."""
    return Answer(200, project_of(cloud, args).settings)


def put_settings(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PUT /v1/projects/{ref}/config/database/postgres: replaces the settings.

    The database restarts, unless `restart_database` is false.
    """
    project, body = project_of(cloud, args), dict(as_object(call.body))
    restart = body.pop("restart_database", True)
    if reason := postgres_settings.problem(body):
        raise refusal(400, reason)
    with refusals():
        project.configure(
            body, call.now, cloud.config.action_seconds, restart=bool(restart and body)
        )
    return Answer(200, project.settings)


def query(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v1/projects/{ref}/database/query and …/read-only: what `run_query` can answer."""
    project, body = project_of(cloud, args), as_object(call.body)
    text, read_only = (
        body.get("query"),
        call.path.endswith("/read-only") or bool(body.get("read_only")),
    )
    if not isinstance(text, str) or not text.strip():
        raise refusal(400, "query is required")
    try:
        url = cloud.config.database_url
        behind = RealDatabase(url) if url else None
        connections = cloud.load.db_connections
        return Answer(201, run_query(text, project, connections, behind, read_only=read_only))
    except QueryRefusedError as error:
        raise refusal(400, str(error)) from None


def _pooler_json(project: Project, identifier: str, kind: str) -> Json:
    host, user = "aws-0-us-east-1.pooler.supabase.com", f"postgres.{identifier}"
    url = f"postgresql://{user}:[YOUR-PASSWORD]@{host}:6543/postgres"
    return {
        "identifier": identifier,
        "database_type": kind,
        "is_using_scram_auth": True,
        "db_user": user,
        "db_host": host,
        "db_port": 6543,
        "db_name": "postgres",
        "connection_string": url,
        "connectionString": url,
        "default_pool_size": project.pool_size,
        "max_client_conn": project.size.pooler_clients,
        "pool_mode": project.pool_mode,
    }


ROUTES = (
    Route("POST", f"{ONE}/read-replicas/setup", setup_replica, ("infra_read_replicas_write",)),
    Route("POST", f"{ONE}/read-replicas/remove", remove_replica, ("infra_read_replicas_write",)),
    Route("GET", f"{ONE}/config/database/pooler", get_pooler, ("database_read",)),
    Route("PATCH", f"{ONE}/config/database/pooler", update_pooler, ("database_write",)),
    Route("GET", f"{ONE}/config/database/postgres", get_settings, ("database_read",)),
    Route("PUT", f"{ONE}/config/database/postgres", put_settings, ("database_write",)),
    Route("POST", f"{ONE}/database/query", query, ("database_write",)),
    Route("POST", f"{ONE}/database/query/read-only", query, ("database_read",)),
)
