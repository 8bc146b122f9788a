"""From what the application's database shows to what is done to it, or the guard that holds it.

Pure. What is `observed` is the record of `catalogue.app_database.work.DatabaseWork.observe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.catalogue.app_database.archive import plan_archive
from service.catalogue.app_database.flags import (
    flag_refusals,
    flag_values,
    flags_changed,
    plan_flags,
)
from service.catalogue.app_database.sessions import plan_kill
from service.catalogue.app_database.settings import (
    plan_settings,
    setting_doubts,
    setting_refusals,
    setting_values,
    settings_changed,
)
from service.catalogue.app_database.target import (
    ARCHIVE,
    OPTIMIZE,
    SET_DATABASE,
    SET_FLAGS,
    AppDatabaseTarget,
)
from service.catalogue.app_database.upkeep import held_by_table, plan_upkeep
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request


def database_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """How many sessions are busy, and whether it is a replica."""
    server = observed["server"]
    sessions = observed.get("sessions")  # only what ends sessions looks at them
    state: dict[str, int | str] = {} if sessions is None else {"busy sessions": len(sessions)}
    return {
        **state,
        **database_values(observed),
        **({"status": "replica"} if server["replica"] else {}),
    }


def database_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What of the database a plan can change and put back."""
    return {**flag_values(observed), **setting_values(observed)}


def database_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """What a plan changes that can be put back: before, after."""
    if "settings" in plan.wanted:
        return settings_changed(plan)
    return flags_changed(plan) if "place" in plan.wanted else {}


def refused_options(
    target: AppDatabaseTarget, action: str, options: Mapping[str, Any]
) -> Iterable[str]:
    """What of the options of an action can never be done on this target."""
    if action == SET_DATABASE:
        return setting_refusals(target, options)
    return flag_refusals(target, options) if action == SET_FLAGS else ()


def doubts(target: AppDatabaseTarget, action: str, options: Mapping[str, Any]) -> Iterable[str]:
    """What is allowed and hardly meant."""
    return setting_doubts(target, options) if action == SET_DATABASE else ()


def plan_database(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """What the action does to the database (runbook, Emergency Scaling)."""
    target = request.target
    if not isinstance(target, AppDatabaseTarget):
        raise TypeError(f"{target.name} is no database of the application")
    if request.action == OPTIMIZE:
        return plan_upkeep(target, request.options, observed)
    if request.action == ARCHIVE:
        return _archived(target, request.options, observed)
    if request.action == SET_FLAGS:
        return plan_flags(target, request, observed)
    if request.action == SET_DATABASE:
        return plan_settings(target, request, observed)
    return plan_kill(target, request.options, observed)


def _archived(
    target: AppDatabaseTarget, options: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    given = {"table": options["table"], "columns": [options["column"]]}
    held = held_by_table(target, given, observed, writes=True)
    return held or plan_archive(target, options, observed)
