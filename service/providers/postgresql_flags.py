"""Feature flags in a table of the application's PostgreSQL.

Names are looked up first and always quoted; values are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from service.ports.app_database import FlagPlace, Flags, NoTable, Table
from service.providers.postgresql_upkeep import Connection, find_table

_RIGHTS = """
SELECT coalesce(max(format_type(v.atttypid, v.atttypmod)), '') AS type,
       coalesce(bool_and(has_column_privilege(c.oid, k.attnum, 'SELECT')
            AND has_column_privilege(c.oid, v.attnum, 'SELECT')
            AND has_column_privilege(c.oid, v.attnum, 'UPDATE')
            AND has_schema_privilege(c.relnamespace, 'USAGE')), false) AS may
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute k ON k.attrelid = c.oid AND k.attname = %(key)s
  JOIN pg_attribute v ON v.attrelid = c.oid AND v.attname = %(value)s
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s
   AND NOT k.attisdropped AND NOT v.attisdropped
"""
_LOOK = """
SELECT {key}::text AS name, count(*)::int AS rows, bool_and({value}) AS value
  FROM {table} WHERE {key}::text = ANY(%(names)s) GROUP BY 1
"""
_SET = """
UPDATE {table} AS f SET {value} = w.becomes
  FROM unnest(%(names)s::text[], %(was)s::bool[], %(becomes)s::bool[]) AS w(name, was, becomes)
 WHERE f.{key}::text = w.name AND f.{value} = w.was
"""


def look_at_flags(
    connection: Connection, place: FlagPlace, names: Sequence[str]
) -> Flags | NoTable:
    """The flags as they are; without their values where the columns or the rights do not allow."""
    table = find_table(connection, place.table)
    if isinstance(table, NoTable):
        return table
    at = {"schema": table.schema, "table": table.name, "key": place.key, "value": place.value}
    (found,) = connection.execute(_RIGHTS, at).fetchall()
    rows = []
    if found["may"] and found["type"] == "boolean":
        look = _filled(_LOOK, table, place)
        rows = connection.execute(look, {"names": list(names)}).fetchall()
    return Flags(
        f"{table.schema}.{table.name}",
        list(table.columns),
        found["type"],
        found["may"],
        {row["name"]: row["rows"] for row in rows},
        {row["name"]: row["value"] for row in rows},
    )


def set_flags(
    connection: Connection, place: FlagPlace, was: Mapping[str, bool], to: Mapping[str, bool]
) -> bool:
    """Set all of the flags in one transaction; False, and none, where one is not what it was."""
    table = find_table(connection, place.table)
    if isinstance(table, NoTable):
        return False
    values = {
        "names": list(to),
        "was": [was[name] for name in to],
        "becomes": [to[name] for name in to],
    }
    with connection.transaction() as transaction:
        changed = connection.execute(_filled(_SET, table, place), values).rowcount
        if changed != len(to):
            raise psycopg.Rollback(transaction)
    return bool(changed == len(to))


def _filled(statement: str, table: Table, place: FlagPlace) -> sql.Composed:
    return sql.SQL(statement).format(
        table=sql.Identifier(table.schema, table.name),
        key=sql.Identifier(place.key),
        value=sql.Identifier(place.value),
    )
