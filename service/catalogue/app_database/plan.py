"""From what the application's database shows to what is done to it, or the guard that holds it.

Pure. What is `observed` is the record of `catalogue.app_database.work.DatabaseWork.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.app_database.sessions import plan_kill
from service.catalogue.app_database.target import AppDatabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

KILL = "kill_queries"


def database_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """How many sessions are busy, and whether it is a replica."""
    server = observed["server"]
    state: dict[str, int | str] = {"busy sessions": len(observed["sessions"])}
    return {**state, **({"status": "replica"} if server["replica"] else {})}


def plan_database(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """What the action does to the database (runbook, Emergency Scaling)."""
    target = request.target
    if not isinstance(target, AppDatabaseTarget):
        raise TypeError(f"{target.name} is no database of the application")
    return plan_kill(target, request.options, observed)
