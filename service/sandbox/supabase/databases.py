"""What the databases of a project would answer over SQL.

The sandbox has no PostgreSQL behind it, so the service asks here instead. There is no such API
outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call
from service.sandbox.supabase.common import Args, project_of, refusal
from service.sandbox.supabase.project import Project, Replica

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

_BEAT = 112
"""Bytes of one heartbeat in the log, as measured on PostgreSQL 18."""
_ONE = "/_databases/<ref>"


def heartbeat(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST: the primary writes a few bytes."""
    project = project_of(cloud, args)
    _refuse_when_down(project)
    project.log_position += _BEAT
    return Answer(200, {"lsn": str(project.log_position), **_common(project)})


def sight(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET: what a replica shows."""
    project = project_of(cloud, args)
    replica = _replica(project, args, call.now)
    stopped = replica.behind_bytes > 0
    return Answer(
        200,
        {
            "in_recovery": True,
            "behind_bytes": replica.behind_bytes,
            "lag_s": 60.0 if stopped else 0.0,
            "refused_with": "25006",
            "readers": replica.readers,
            **_common(project),
        },
    )


def readers(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET: how many connections of the application are open at a database."""
    project = project_of(cloud, args)
    if args["identifier"] == project.ref:
        _refuse_when_down(project)
        return Answer(200, {"readers": cloud.load.db_connections})
    return Answer(200, {"readers": _replica(project, args, call.now).readers})


def _common(project: Project) -> dict[str, str | int]:
    return {"system_identifier": "7300000000000000001", "max_connections": project.max_connections}


def _replica(project: Project, args: Args, now: float) -> Replica:
    found = [one for one in project.replicas if one.identifier == args["identifier"]]
    if not found:
        raise refusal(404, "There is no such database")
    if found[0].status(now) != "ACTIVE_HEALTHY":
        raise refusal(503, f"The database is {found[0].status(now)}")
    return found[0]


def _refuse_when_down(project: Project) -> None:
    if project.status != "ACTIVE_HEALTHY":
        raise refusal(503, f"The database can't be reached while it is {project.status}")


ROUTES = (
    Route("POST", f"{_ONE}/heartbeat", heartbeat, ()),
    Route("GET", f"{_ONE}/<identifier>/sight", sight, ()),
    Route("GET", f"{_ONE}/<identifier>/readers", readers, ()),
)
