"""Supabase: a project's database, its compute size and its pooler, through the management API.

That API has no official Python client, so this uses httpx. The command `supabase db resize` of the
runbook does not exist. Its purpose is served by a compute add-on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote as url_quote

import httpx

from service.ports.supabase import (
    Address,
    ComputeState,
    DatabaseSql,
    Home,
    Replica,
    ServiceHealth,
)
from service.providers.errors import Call, no_answer, reading
from service.providers.http import ask, make_http_client, send
from service.providers.scopes import (
    ASK_DATABASE,
    CHANGE_COMPUTE,
    CHANGE_POOLER,
    CHANGE_REPLICAS,
    READ_COMPUTE,
    READ_POOLER,
    READ_PROJECT,
    READ_REPLICAS,
    Needed,
)
from service.providers.waits import Timeouts

ENDPOINT = "https://api.supabase.com"
HOURS_A_MONTH = 730
"""The vendor quotes compute by the hour. 730 hours give its own prices a month (Large: 0.1517 an
hour, 111 a month)."""
_COMPUTE = "compute_instance"
_POOLER = "config/database/pooler"
_PAGE = 100
_MOST_PAGES = 50
"""Projects of one page, and pages that are read of an organization."""
STARTED = "select extract(epoch from pg_postmaster_start_time()) as started_at"
"""The query that proves a restart: only the server itself knows when it was started."""
MOST_CONNECTIONS = "show max_connections"


class SupabaseCompute:
    """The compute of databases (`service.ports.supabase.DatabaseCompute`). Safe for threads."""

    def __init__(
        self,
        *,
        token: str,
        base_url: str = ENDPOINT,
        timeouts: Timeouts | None = None,
        sql: DatabaseSql | None = None,
    ):
        self._token = token
        self._sql = sql
        self._slow_read_s = (timeouts or Timeouts()).slow_read
        self._http: httpx.Client = make_http_client(base_url, token=token, timeouts=timeouts)

    @property
    def sql(self) -> DatabaseSql | None:
        """The way to the databases themselves, where there is one."""
        return self._sql

    def get(self, project: str) -> ComputeState:
        """Size, status and prices now. Sends two requests.

        `variant` is empty if the vendor names no compute add-on.
        """
        call = self._call(f"read the status of project {project}", READ_PROJECT)
        found = ask(self._http, call, "GET", _path(project))
        with reading(call):
            status = str(found["status"])
        call = self._call(f"read the compute size of project {project}", READ_COMPUTE)
        addons = ask(self._http, call, "GET", _path(project, "billing/addons"))
        with reading(call):
            return ComputeState(project, _selected(addons), status, _prices(addons))

    def resize(self, project: str, variant: str) -> None:
        """Request another compute size. About two minutes of downtime follow.

        The vendor documents no body for its answer. A body that is not JSON is not the vendor's.
        """
        call = self._call(
            f"resize project {project} to {variant}", CHANGE_COMPUTE, repeatable=False
        )
        body = {"addon_type": _COMPUTE, "addon_variant": variant}
        path = _path(project, "billing/addons")
        send(self._http, call, "PATCH", path, body=body, read_s=self._slow_read_s)

    def started_at(self, project: str) -> float:
        """When the database was started: seconds since the epoch, by its own clock."""
        call, row = self._query(project, "since when it runs", STARTED)
        with reading(call):
            return float(row[0]["started_at"])

    def max_connections(self, project: str) -> int:
        """How many connections the database takes."""
        call, row = self._query(project, "how many connections it takes", MOST_CONNECTIONS)
        with reading(call):
            return int(row[0]["max_connections"])

    def pool_size(self, project: str) -> int | None:
        """The pool size of the primary's pooler; None where the vendor chooses."""
        call = self._call(f"read the pooler of project {project}", READ_POOLER)
        found = ask(self._http, call, "GET", _path(project, _POOLER))
        with reading(call):
            (primary,) = (each for each in found if each["database_type"] == "PRIMARY")
            size = primary["default_pool_size"]
            return None if size is None else int(size)

    def set_pool_size(self, project: str, size: int | None) -> None:
        """Set the pool size. The vendor changes it for the primary and its read replicas."""
        to = "the vendor's default" if size is None else size
        what = f"set the pool size of project {project} to {to}"
        call = self._call(what, CHANGE_POOLER, repeatable=False)
        body = {"default_pool_size": size}
        found = ask(self._http, call, "PATCH", _path(project, _POOLER), body=body)
        with reading(call):
            _ = found["default_pool_size"]  # the next look compares it

    def health(self, project: str) -> Sequence[ServiceHealth]:
        """Whether database and pooler answer."""
        call = self._call(f"read the health of project {project}", READ_PROJECT)
        params = {"services": ["db", "pooler"]}
        found = ask(self._http, call, "GET", _path(project, "health"), params=params)
        with reading(call):
            services = tuple(_service(item) for item in found)
        if not services:
            raise no_answer(call, "the answer names no service")
        return services

    def home(self, project: str) -> Home:
        """Its organization and its version of PostgreSQL."""
        call = self._call(f"read the organization of project {project}", READ_PROJECT)
        found = ask(self._http, call, "GET", _path(project))
        with reading(call):
            engine = str(found["database"].get("postgres_engine", ""))
            slug = str(found["organization_slug"])
            return Home(slug, int(engine) if engine.isdecimal() else None)

    def replicas(self, project: str, organization: str) -> Sequence[Replica]:
        """Its read replicas with their status, which only the organization's list tells."""
        call = self._call(f"list the read replicas of project {project}", READ_REPLICAS)
        path = f"/v1/organizations/{url_quote(organization, safe='')}/projects"
        for page in range(_MOST_PAGES):
            params = {"limit": str(_PAGE), "offset": str(page * _PAGE)}
            found = ask(self._http, call, "GET", path, params=params)
            with reading(call):
                projects = [dict(each) for each in found["projects"]]
                ours = [each for each in projects if each["ref"] == project]
                if ours:
                    return [
                        Replica(str(one["identifier"]), str(one["region"]), str(one["status"]))
                        for one in ours[0]["databases"]
                        if one["type"] == "READ_REPLICA"
                    ]
                if len(projects) < _PAGE:
                    break
        raise no_answer(call, f"organization {organization} does not list the project")

    def setup_replica(self, project: str, region: str) -> None:
        """Ask for one more replica. The answer has no body."""
        what = f"set up a read replica of project {project} in {region}"
        call = self._call(what, CHANGE_REPLICAS, repeatable=False)
        body = {"read_replica_region": region}
        path = _path(project, "read-replicas/setup")
        send(self._http, call, "POST", path, body=body, read_s=self._slow_read_s)

    def remove_replica(self, project: str, identifier: str) -> None:
        """Ask for the end of a replica. The answer has no body."""
        what = f"remove read replica {identifier} of project {project}"
        call = self._call(what, CHANGE_REPLICAS, repeatable=False)
        body = {"database_identifier": identifier}
        path = _path(project, "read-replicas/remove")
        send(self._http, call, "POST", path, body=body, read_s=self._slow_read_s)

    def addresses(self, project: str) -> Mapping[str, Address]:
        """Host and user of each database, as the pooler's list names them."""
        call = self._call(f"read the addresses of project {project}", READ_POOLER)
        found = ask(self._http, call, "GET", _path(project, _POOLER))
        with reading(call):
            named = {
                str(one["identifier"]): Address(
                    str(one["identifier"]), str(one["db_host"]), str(one["db_user"])
                )
                for one in found
            }
        if project not in named:
            raise no_answer(call, "the answer does not name the primary")
        return named

    def _query(self, project: str, what: str, query: str) -> tuple[Call, Any]:
        """The rows of a query that only reads."""
        call = self._call(f"ask the database of project {project} {what}", ASK_DATABASE)
        path = _path(project, "database/query/read-only")
        return call, ask(self._http, call, "POST", path, body={"query": query})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, operation: str, needs: Needed, *, repeatable: bool = True) -> Call:
        setting = "SUPABASE_ACCESS_TOKEN"
        return Call("supabase", operation, repeatable, setting, self._token, needs)


def _path(project: str, rest: str = "") -> str:
    return f"/v1/projects/{url_quote(project, safe='')}" + (f"/{rest}" if rest else "")


def _selected(addons: Mapping[str, Any]) -> str:
    chosen = (one for one in addons["selected_addons"] if one["type"] == _COMPUTE)
    return next((str(one["variant"]["id"]) for one in chosen), "")


def _prices(addons: Mapping[str, Any]) -> dict[str, float]:
    offers = [one for one in addons.get("available_addons", ()) if one["type"] == _COMPUTE]
    return {
        str(variant["id"]): _monthly(variant["price"])
        for offer in offers
        for variant in offer["variants"]
    }


def _monthly(price: Mapping[str, Any]) -> float:
    amount = float(price["amount"])
    return round(amount * HOURS_A_MONTH, 2) if price.get("interval") == "hourly" else amount


def _service(item: Mapping[str, Any]) -> ServiceHealth:
    status = str(item.get("status", ""))
    healthy = status == "ACTIVE_HEALTHY" if status else bool(item.get("healthy"))
    return ServiceHealth(str(item["name"]), healthy, str(item.get("error") or status))
