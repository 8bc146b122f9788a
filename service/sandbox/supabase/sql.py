"""SQL queries at the sandbox: a few that its simulated project answers, and any other one where a
real PostgreSQL stands behind it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from service.sandbox.supabase.project import Project

CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_MS = 5, 5_000
"""A query holds up the whole sandbox, which answers one request at a time."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class QueryRefusedError(ValueError):
    """The sandbox cannot answer this query."""


@dataclass(frozen=True, slots=True)
class RealDatabase:
    """A PostgreSQL on this machine that answers what the simulated project cannot.

    Raises:
        ValueError: the address leads to another machine, or cannot be read.
    """

    url: str

    def __post_init__(self) -> None:
        try:
            hosts = str(conninfo_to_dict(self.url).get("host") or "127.0.0.1").split(",")
        except psycopg.Error as error:
            raise ValueError(f"SANDBOX_DATABASE_URL is no address of PostgreSQL: {error}") from None
        if any(host not in _LOOPBACK and not host.startswith("/") for host in hosts):
            raise ValueError(
                f"SANDBOX_DATABASE_URL leads to {', '.join(hosts)}. The sandbox runs any query "
                "that it is sent, so it only takes a database on this machine."
            )

    def rows(self, text: str, *, read_only: bool) -> list[dict[str, Any]]:
        """The rows of the last statement, as JSON has them: none where it returns none.

        Raises:
            QueryRefusedError: PostgreSQL refuses it, or cannot be reached.
        """
        try:
            with psycopg.connect(
                self.url,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
                row_factory=dict_row,
            ) as connection:
                connection.read_only = read_only
                # Bytes go to the server as they are: no placeholders are looked for in them.
                cursor = connection.execute(text.encode())
                while cursor.nextset():
                    pass
                found = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            code = f"{error.sqlstate}: " if error.sqlstate else ""
            raise QueryRefusedError(f"Failed to run sql query: ERROR:  {code}{error}") from None
        return [json.loads(json.dumps(row, default=str)) for row in found]


def run_query(
    text: str,
    project: Project,
    connections: int,
    behind: RealDatabase | None = None,
    *,
    read_only: bool = False,
) -> list[dict[str, Any]]:
    """The rows of a query: from the project's simulated state, else from the database `behind` it.

    Raises:
        QueryRefusedError: nobody can answer it, or the database is down.
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
    if plain in known:
        return [known[plain]]
    if behind is not None:
        return behind.rows(text, read_only=read_only)
    answers = "; ".join(known)
    raise QueryRefusedError(
        f"The sandbox has no database: it only answers {answers}. Set SANDBOX_DATABASE_URL to have "
        "a PostgreSQL of this machine answer the others."
    )
