"""The schema `runbook` in the application's database, by psycopg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from service.domain.app_views import (
    DATABASE,
    GRANTS,
    PERFORMANCE,
    SCHEMA,
    TEND,
    Change,
    Found,
    Grant,
    Version,
)
from service.providers.app_views_sql import RECORD, TEXTS, digest
from service.providers.postgresql import PostgresDatabase

_VIEWS = (PERFORMANCE, DATABASE)
_FIND = """
SELECT current_database()::text AS database,
       current_user::text AS role,
       current_setting('server_version_num')::int AS server,
       pg_is_in_recovery() AS replica,
       CASE WHEN to_regnamespace('runbook') IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege('runbook', 'CREATE') END AS may_create,
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
           AS may_make_roles,
       ARRAY(SELECT c.relname::text FROM pg_class c
              WHERE c.relnamespace = to_regnamespace('runbook') AND c.relkind IN ('r', 'p', 'v')
                AND NOT c.relispartition) AS relations,
       ARRAY(SELECT to_date(right(c.relname, 8), 'YYYYMMDD') FROM pg_inherits i
               JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = to_regclass('runbook.api_requests')
                AND c.relname ~ '^api_requests_[0-9]{8}$') AS days,
       coalesce((SELECT n.nspname::text FROM pg_extension e
                   JOIN pg_namespace n ON n.oid = e.extnamespace
                  WHERE e.extname = 'pg_stat_statements'), '') AS statements,
       current_setting('pg_stat_statements.max', true) IS NOT NULL AS loaded,
       ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'runbook\\_%') AS roles
"""
_HAS = {
    "": "SELECT has_schema_privilege(%(role)s, %(thing)s, %(right)s) AS has",
    "table": "SELECT has_table_privilege(%(role)s, %(thing)s, %(right)s) AS has",
    "function": "SELECT has_function_privilege(%(role)s, %(thing)s, %(right)s) AS has",
}


class PostgresViews:
    """The schema in one database (`service.ports.app_views.AppViews`)."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @property
    def digests(self) -> Mapping[int, str]:
        """The digest of each version's text here."""
        return {number: digest(text) for number, text in TEXTS.items()}

    def find(self) -> Found:
        """What is there."""
        with self._database.session(f"look at schema {SCHEMA}") as connection:
            (row,) = connection.execute(_FIND).fetchall()
            sets: dict[str, Any] = {
                each: frozenset(row.pop(each)) for each in ("relations", "days", "roles")
            }
            applied = _applied(connection)
            grants = [each for each in GRANTS if _has(connection, each, sets)]
        return Found(**row, **sets, applied=applied, grants=frozenset(grants))

    def make(self, change: Change) -> bool:
        """Make one change, in one transaction."""
        with (
            self._database.session(change.sentence, repeatable=False) as connection,
            connection.transaction(),
        ):
            # Two that apply at the same time follow one another.
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('runbook.views', 0))")
            if change.version is not None:
                return _make_version(connection, change.version)
            if change.grant is not None:
                connection.execute(_grant(change.grant))
                return True
            if change.role:
                return _make_role(connection, change.role)
            connection.execute(f"SELECT {SCHEMA}.{TEND}()")
            return True

    def rows(self, view: str) -> Sequence[Mapping[str, Any]]:
        """What a view says now, in its order."""
        if view not in _VIEWS:
            raise ValueError(f"{view} is no view of schema {SCHEMA}; there are {', '.join(_VIEWS)}")
        with self._database.session(f"read {SCHEMA}.{view}") as connection:
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, view))
            return connection.execute(query).fetchall()


Connection = psycopg.Connection[dict[str, Any]]


def _applied(connection: Connection) -> dict[int, str]:
    there = connection.execute("SELECT to_regclass('runbook.versions') AS it").fetchall()
    if there[0]["it"] is None:
        return {}
    rows = connection.execute("SELECT number, digest FROM runbook.versions").fetchall()
    return {row["number"]: row["digest"] for row in rows}


def _has(connection: Connection, grant: Grant, sets: Mapping[str, Any]) -> bool:
    kind = "" if not grant.thing else "function" if grant.thing == TEND else "table"
    thing = SCHEMA if not kind else f"{SCHEMA}.{grant.thing}"
    there = "SELECT coalesce(to_regnamespace(%(thing)s)::text, '') <> '' AS there"
    if kind:
        of = "to_regproc" if kind == "function" else "to_regclass"
        there = f"SELECT {of}(%(thing)s) IS NOT NULL AS there"
    if grant.role not in sets["roles"]:
        return False
    (found,) = connection.execute(there, {"thing": thing}).fetchall()
    if not found["there"]:
        return False
    named = {"role": grant.role, "right": grant.right}
    named["thing"] = f"{thing}()" if kind == "function" else thing
    (row,) = connection.execute(_HAS[kind], named).fetchall()
    return bool(row["has"])


def _make_version(connection: Connection, version: Version) -> bool:
    connection.execute(RECORD)
    named = f"{SCHEMA}.{version.makes}"
    (there,) = connection.execute("SELECT to_regclass(%s) AS it", (named,)).fetchall()
    if version.number in _applied(connection) and there["it"] is not None:
        return False
    text = TEXTS[version.number]
    if version.needs_statements:
        (row,) = connection.execute(_FIND).fetchall()
        quoted = sql.Identifier(row["statements"]).as_string(connection)
        text = text.replace("{statements}", quoted)
    connection.execute(text)
    connection.execute(
        "INSERT INTO runbook.versions (number, digest) VALUES (%s, %s) "
        "ON CONFLICT (number) DO UPDATE SET digest = excluded.digest, applied_at = now()",
        (version.number, digest(TEXTS[version.number])),
    )
    return True


def _make_role(connection: Connection, role: str) -> bool:
    there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchall()
    if not there:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    return not there


def _grant(grant: Grant) -> sql.Composed:
    named = sql.Identifier(SCHEMA, grant.thing)
    what: sql.Composable = sql.SQL("SCHEMA {}").format(sql.Identifier(SCHEMA))
    if grant.thing == TEND:
        what = sql.SQL("FUNCTION {}()").format(named)
    elif grant.thing:
        what = named
    return sql.SQL("GRANT {} ON {} TO {}").format(
        sql.SQL(grant.right), what, sql.Identifier(grant.role)
    )
