"""From what the application's database shows to what is done to it, or the guard that holds it.

Pure. What is `observed` is the record of `catalogue.app_database.work.DatabaseWork.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.app_database.sessions import plan_kill
from service.catalogue.app_database.target import OPTIMIZE, AppDatabaseTarget
from service.catalogue.app_database.upkeep import plan_upkeep
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request


def database_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """How many sessions are busy, and whether it is a replica."""
    server = observed["server"]
    sessions = observed.get("sessions")  # an operation on a table looks at no session
    state: dict[str, int | str] = {} if sessions is None else {"busy sessions": len(sessions)}
    return {**state, **({"status": "replica"} if server["replica"] else {})}


def plan_database(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """What the action does to the database (runbook, Emergency Scaling)."""
    target = request.target
    if not isinstance(target, AppDatabaseTarget):
        raise TypeError(f"{target.name} is no database of the application")
    if request.action == OPTIMIZE:
        return plan_upkeep(target, request.options, observed)
    return plan_kill(target, request.options, observed)
