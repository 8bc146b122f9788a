"""Partitions of the application's PostgreSQL: what the catalog says of them, and statements.

Every bound is looked up or made here of a time; nothing takes a text of SQL. What keeps readers or
writers waiting asks for its lock for `LOCK_S` only, and works for `WORK_S` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from service.ports.app_database import EXCLUDES, Partition, Partitions, Span, WantedPartition

LOCK_S = 1
"""Seconds that a change waits for a lock that writers need: they wait behind it meanwhile."""
WORK_S = 2
"""Seconds that a change of the catalog may take. It took 10 ms on an idle machine; what takes
longer reads a table, and is rolled back."""
COUNT_S = 5
"""Seconds for counting rows of a default partition. Then the proof decides."""
MOST_NAMES = 5_000

_KEY = """
SELECT p.partstrat::text AS strategy,
       ARRAY(SELECT coalesce(a.attname::text, '')
               FROM unnest(p.partattrs::int2[]) WITH ORDINALITY k(number, place)
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                AND k.number > 0
              ORDER BY k.place) AS columns,
       coalesce((SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0), '')
           AS type,
       has_schema_privilege(c.relowner, c.relnamespace, 'CREATE')
           AND pg_has_role(current_user, c.relowner, 'MEMBER') AS owner_may
  FROM pg_partitioned_table p
  JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""
_PARTITIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS name,
       pg_get_expr(c.relpartbound, c.oid) AS bound,
       coalesce((to_jsonb(i) ->> 'inhdetachpending')::bool, false) AS pending,
       greatest(c.reltuples, 0)::bigint AS rows,
       c.relpages::bigint * current_setting('block_size')::bigint AS bytes,
       coalesce((SELECT jsonb_object_agg(conname, convalidated) FROM pg_constraint
                  WHERE conrelid = c.oid AND starts_with(conname::text, %(excludes)s)), '{}')
           AS excluded
  FROM pg_inherits i
  JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = i.inhparent JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE tn.nspname = %(schema)s AND t.relname = %(table)s
 ORDER BY 2
"""
_TAKEN = """
SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND starts_with(c.relname::text, %(table)s || '_')
 UNION
SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname = %(schema)s AND starts_with(t.typname::text, %(table)s || '_')
 ORDER BY 1 LIMIT %(most)s
"""
_TODAY = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS today"
_BLOCKERS = """
SELECT DISTINCT unnest(pg_blocking_pids(a.pid)) AS pid FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.application_name = 'runbookd'
   AND a.pid <> pg_backend_pid() AND a.wait_event_type = 'Lock'
 ORDER BY 1
"""
_DEFAULT = "DEFAULT"
_RANGE = re.compile(r"FOR VALUES FROM \((?P<lower>.+)\) TO \((?P<upper>.+)\)")
_TIME = re.compile(r"'(?P<day>\d{4}-\d\d-\d\d)(?: (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?)?'")
_UNBOUNDED = ("MINVALUE", "MAXVALUE", "'-infinity'", "'infinity'")

Connection = psycopg.Connection[dict[str, Any]]


def look_at_partitions(connection: Connection, schema: str, table: str) -> Partitions:
    """How a table is partitioned."""
    place = {"schema": schema, "table": table}
    (day,) = connection.execute(_TODAY).fetchall()
    with connection.transaction():
        connection.execute("SET LOCAL datestyle = 'ISO'")
        keys = connection.execute(_KEY, place).fetchall()
        rows = connection.execute(_PARTITIONS, {**place, "excludes": EXCLUDES}).fetchall()
        taken = connection.execute(_TAKEN, {**place, "most": MOST_NAMES}).fetchall()
    if not keys:
        return Partitions("", [], "", [], None, {}, [], False, day["today"])
    default = next((row for row in rows if row["bound"] == _DEFAULT), None)
    return Partitions(
        **keys[0],
        partitions=[_partition(row) for row in rows if row is not default],
        default=None if default is None else _partition(default),
        excluded={} if default is None else default["excluded"],
        taken=[row["name"] for row in taken],
        today=day["today"],
    )


def _partition(row: Mapping[str, Any]) -> Partition:
    others = {name: row[name] for name in ("schema", "name", "pending", "rows", "bytes")}
    return Partition(span=span_of(row["bound"] or ""), **others)


def span_of(bound: str) -> Span | None:
    """The range of a partition as the server writes it in UTC; None where it is no range of
    times."""
    found = _RANGE.fullmatch(bound)
    if found is None:
        return None
    lower, upper = (_moment(found[name]) for name in ("lower", "upper"))
    return None if lower is None or upper is None else Span(lower, upper)


def _moment(text: str) -> str | None:
    if text in _UNBOUNDED:
        return ""
    found = _TIME.fullmatch(text)
    return found and f"{found['day']} {found['time'] or '00:00:00'}"


def count_within(connection: Connection, wanted: WantedPartition) -> int | None:
    """How many rows of the default partition belong into this one."""
    query = sql.SQL(
        "SELECT count(*) AS rows FROM {default} WHERE {column} >= {lower} AND {column} < {upper}"
    )
    connection.execute(f"SET statement_timeout = '{COUNT_S}s'")
    try:
        (row,) = connection.execute(query.format(**_parts(wanted))).fetchall()
    except psycopg.errors.QueryCanceled:
        return None
    return int(row["rows"])


def exclude(connection: Connection, wanted: WantedPartition) -> None:
    """Add the constraint to the default partition, for new rows only."""
    statement = sql.SQL(
        "ALTER TABLE {default} ADD CONSTRAINT {exclusion} CHECK "
        "({column} IS NULL OR {column} < {lower} OR {column} >= {upper}) NOT VALID"
    )
    _change(connection, statement.format(**_parts(wanted)))


def prove_excluded(wanted: WantedPartition) -> sql.Composed:
    """The statement that reads the default partition for its constraint. Writers go on."""
    statement = sql.SQL("ALTER TABLE {default} VALIDATE CONSTRAINT {exclusion}")
    return statement.format(**_parts(wanted))


def include_again(connection: Connection, wanted: WantedPartition) -> None:
    """Take the constraint away."""
    _change(connection, _included(wanted))


def _included(wanted: WantedPartition) -> sql.Composed:
    statement = sql.SQL("ALTER TABLE {default} DROP CONSTRAINT IF EXISTS {exclusion}")
    return statement.format(**_parts(wanted))


def add_partition(connection: Connection, wanted: WantedPartition) -> None:
    """Make and attach a partition, in one transaction and as the table's owner.

    `CREATE TABLE … PARTITION OF` would lock out all readers and writers of the whole table.
    """
    made = sql.SQL(
        "CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
        "INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)"
    )
    attached = sql.SQL(
        "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({lower}) TO ({upper})"
    )
    parts = _parts(wanted)
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(wanted.owner)))
        _limit(connection)
        connection.execute(made.format(**parts))
        connection.execute(attached.format(**parts))
        if wanted.default:
            connection.execute(_included(wanted))


def detach(schema: str, table: str, partition: Partition) -> sql.Composed:
    """The statement that detaches a partition beside readers and writers, or ends that."""
    how = "FINALIZE" if partition.pending else "CONCURRENTLY"
    return sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(
        sql.Identifier(schema, table),
        sql.Identifier(partition.schema, partition.name),
        sql.SQL(how),
    )


def blockers(connection: Connection) -> list[int]:
    """Whom our own sessions wait for."""
    return [row["pid"] for row in connection.execute(_BLOCKERS).fetchall() if row["pid"]]


def _change(connection: Connection, statement: sql.Composed) -> None:
    with connection.transaction():
        _limit(connection)
        connection.execute(statement)


def _limit(connection: Connection) -> None:
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_S}s'")
    connection.execute(f"SET LOCAL statement_timeout = '{WORK_S}s'")


def _parts(wanted: WantedPartition) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(wanted.schema, wanted.table),
        "partition": sql.Identifier(wanted.schema, wanted.name),
        "default": sql.Identifier(wanted.default_schema, wanted.default),
        "exclusion": sql.Identifier(wanted.exclusion),
        "column": sql.Identifier(wanted.column),
        "lower": _time(wanted, wanted.span.lower),
        "upper": _time(wanted, wanted.span.upper),
    }


def _time(wanted: WantedPartition, moment: str) -> sql.Composed:
    """A bound with its type. Only a time with a zone is given one: UTC."""
    zone = "+00" if wanted.type == "timestamp with time zone" else ""
    cast = sql.SQL(f"::{wanted.type}")  # one of the types that the plan has asked for
    return sql.SQL("{}{}").format(sql.Literal(f"{moment}{zone}"), cast)
