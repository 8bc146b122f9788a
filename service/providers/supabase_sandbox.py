"""The databases of the sandbox's project, in place of real ones over SQL
(`service.ports.supabase.DatabaseSql`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote as url_quote

import httpx

from service.ports.supabase import Address, Mark, Sight
from service.providers.errors import Call, reading
from service.providers.http import ask, make_http_client


class SandboxSql:
    """Primary and replicas of the sandbox. Safe for threads."""

    def __init__(self, *, base_url: str, token: str) -> None:
        self._http: httpx.Client = make_http_client(base_url, token=token)

    def heartbeat(self, primary: Address) -> Mark:
        """The primary writes a few bytes."""
        call, found = self._ask("POST", "write a heartbeat into", primary, "heartbeat")
        with reading(call):
            return Mark(
                str(found["lsn"]), str(found["system_identifier"]), int(found["max_connections"])
            )

    def sight(self, replica: Address, mark: Mark) -> Sight:
        """What a replica shows."""
        call, found = self._ask("GET", "look at", replica, f"{replica.identifier}/sight")
        with reading(call):
            return Sight(
                bool(found["in_recovery"]),
                int(found["behind_bytes"]),
                float(found["lag_s"]),
                str(found["system_identifier"]),
                int(found["max_connections"]),
                str(found["refused_with"]),
            )

    def readers(self, replica: Address, roles: Sequence[str]) -> int:
        """How many connections of the application are open."""
        path = f"{replica.identifier}/readers"
        call, found = self._ask("GET", "count the connections of", replica, path)
        with reading(call):
            return int(found["readers"])

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, method: str, what: str, at: Address, path: str) -> tuple[Call, Any]:
        """The identifier of a database begins with the ref of its project."""
        call = Call("supabase", f"{what} database {at.identifier}", repeatable=True)
        ref = url_quote(at.identifier.partition("-")[0], safe="")
        return call, ask(self._http, call, method, f"/_databases/{ref}/{path}")
