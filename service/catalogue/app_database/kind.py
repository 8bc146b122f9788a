"""The application's database in the catalogue, and its own actions."""

from __future__ import annotations

from service.catalogue.app_database.options import KillOptions, OptimizeOptions, lacks_operation
from service.catalogue.app_database.plan import database_is, plan_database
from service.catalogue.app_database.sessions import missing_grants
from service.catalogue.app_database.target import (
    KILL,
    NAME,
    OPTIMIZE,
    PRICES,
    AppDatabaseShape,
    AppDatabaseTarget,
    build_database,
)
from service.catalogue.app_database.work import DatabaseWork, observed
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.errors import FailureKind, VendorError
from service.ports.app_database import AppDatabase

KILL_QUERIES = ActionSpec(KILL, Effect.CHANGES, "out", options=KillOptions, undoes=False)
"""End what runs for too long (runbook, Emergency Scaling)."""

OPTIMIZE_DATABASE = ActionSpec(
    OPTIMIZE,
    Effect.CHANGES,
    "up",
    options=OptimizeOptions,
    undoes=False,
    lacking=lacks_operation,
)
"""One operation on one table (runbook, Database Optimization Scripts)."""


def _look(database: AppDatabase, target: AppDatabaseTarget) -> str:
    seen = database.activity()
    server = seen.server
    if grants := missing_grants(target, observed(seen)):
        raise VendorError(
            "postgresql",
            "read the rights of our role",
            FailureKind.PERMANENT,
            f"PostgreSQL answers, and role {server.role} may not see and end the sessions of "
            f"{', '.join(target.roles)}. Run this as a superuser: {grants}",
        )
    part = "a replica" if server.replica else "a primary"
    return (
        f"database {server.database} answers as role {server.role}: PostgreSQL "
        f"{server.version // 10_000}, {part}, {len(seen.sessions)} sessions are busy"
    )


KIND = KindSpec(
    name=NAME,
    stand_in="",
    target=AppDatabaseTarget,
    shape=AppDatabaseShape,
    build=build_database,
    actions=(KILL_QUERIES, OPTIMIZE_DATABASE),
    plan=plan_database,
    work=DatabaseWork,
    look=_look,
    prices=PRICES,
    size_form=r"(?!)",
    state=database_is,
    needs_sizes=False,
    changed=lambda _: {},
    cost=lambda _: 0.0,
    interrupts=False,
)
