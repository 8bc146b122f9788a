"""The application's database in the catalogue, and its own actions."""

from __future__ import annotations

from service.catalogue.app_database.archive import ArchiveOptions, lacks_archive
from service.catalogue.app_database.flags import FlagOptions, lacks_flags
from service.catalogue.app_database.options import KillOptions, OptimizeOptions, lacks_operation
from service.catalogue.app_database.plan import (
    database_changed,
    database_is,
    database_values,
    doubts,
    plan_database,
    refused_options,
)
from service.catalogue.app_database.sessions import missing_grants
from service.catalogue.app_database.settings import (
    SETTINGS,
    SettingOptions,
    lacks_setting,
    settings_wanted,
)
from service.catalogue.app_database.target import (
    ARCHIVE,
    KILL,
    NAME,
    OPTIMIZE,
    PRICES,
    SET_DATABASE,
    SET_FLAGS,
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

ARCHIVE_ROWS = ActionSpec(
    ARCHIVE, Effect.CHANGES, "up", options=ArchiveOptions, undoes=False, lacking=lacks_archive
)
"""Old rows of one table, moved to another (runbook, Automatic Cost Optimization)."""

SET_FEATURE_FLAGS = ActionSpec(
    SET_FLAGS, Effect.CHANGES, "up", options=FlagOptions, lacking=lacks_flags
)
"""Feature flags in a table of the application (runbook, Viral Growth and Emergency Scaling). It
takes no capacity away, so its direction is that of an addition."""

SET_SETTINGS = ActionSpec(
    SET_DATABASE,
    Effect.CHANGES,
    "up",
    wanted=settings_wanted,
    options=SettingOptions,
    sets=SETTINGS,
    lacking=lacks_setting,
    returns=False,
)
"""Settings of the server (runbook, Database Optimization Scripts). It is no operation of
optimize_database, because it has values that can be put back, and those have not."""


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
    blind = (
        f". How far index builds of other roles are, and how far replicas are behind (archive_rows "
        f"holds then), it does not see: GRANT pg_read_all_stats TO {server.role};"
        if not (server.sees_all or server.superuser)
        else ""
    )
    part = "a replica" if server.replica else "a primary"
    return (
        f"database {server.database} answers as role {server.role}: PostgreSQL "
        f"{server.version // 10_000}, {part}, {len(seen.sessions)} sessions are busy{blind}"
    )


KIND = KindSpec(
    name=NAME,
    stand_in="",
    target=AppDatabaseTarget,
    shape=AppDatabaseShape,
    build=build_database,
    actions=(KILL_QUERIES, OPTIMIZE_DATABASE, ARCHIVE_ROWS, SET_FEATURE_FLAGS, SET_SETTINGS),
    plan=plan_database,
    work=DatabaseWork,
    look=_look,
    prices=PRICES,
    state=database_is,
    changed=database_changed,
    values=database_values,
    refuses=refused_options,
    doubts=doubts,
    cost=lambda _: 0.0,
    interrupts=False,
    apart=True,
)
