"""The few SQL queries that the sandbox can answer. It has no database behind it."""

from __future__ import annotations

import re
from typing import Any

from service.sandbox.supabase.project import Project


class QueryRefusedError(ValueError):
    """The sandbox cannot answer this query."""


def run_query(text: str, project: Project, connections: int) -> list[dict[str, Any]]:
    """The rows of a query, from the project's simulated state.

    Raises:
        QueryRefusedError: the query is not one of the few, or the database is down.
    """
    if project.status != "ACTIVE_HEALTHY":
        raise QueryRefusedError(
            f"The database can't be reached while the project is {project.status}"
        )
    known: dict[str, dict[str, Any]] = {
        "select 1": {"?column?": 1},
        "select pg_is_in_recovery()": {"pg_is_in_recovery": False},
        "select extract(epoch from pg_postmaster_start_time()) as started_at": {
            "started_at": f"{project.started_at:.6f}"
        },
        "show max_connections": {"max_connections": str(project.max_connections)},
        "select count(*) from pg_stat_activity": {
            "count": min(connections, project.max_connections)
        },
    }
    plain = re.sub(r"\s+", " ", text).strip().rstrip(";").strip().lower()
    if plain not in known:
        answers = "; ".join(known)
        raise QueryRefusedError(f"The sandbox has no database: it only answers {answers}")
    return [known[plain]]
