"""Tables and indexes of the application's PostgreSQL: what the catalog says, and statements.

Names are looked up first and always quoted; values are literals. Nothing here takes a text of SQL.
"""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import sql

from service.domain.errors import VendorError
from service.ports.app_database import (
    Condition,
    Index,
    IndexState,
    NoTable,
    Progress,
    Table,
    WantedIndex,
)

LONGEST_S = 21_600
"""Seconds of a build: 6 h. It disturbs nobody, but something must end it."""
MARGIN_S = 60
"""Seconds after that in which a server that works has said so."""

_HOLDS = """EXISTS (
       SELECT 1 FROM pg_locks l
        WHERE l.pid = p.pid AND l.relation = {table} AND l.locktype = 'relation' AND l.granted
          AND l.mode = 'ShareUpdateExclusiveLock')"""
"""Whether a session holds the lock of builds and vacuums on a table; only one at a time can.

Of another role's work, PostgreSQL shows a role without `pg_read_all_stats` the pid, and neither the
table nor how far it is. It shows all locks to everybody.
"""
_TABLE = f"""
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       pg_has_role(current_user, c.relowner, 'USAGE') AS ours,
       pg_get_userbyid(c.relowner)::text AS owner,
       ARRAY(SELECT attname::text FROM pg_attribute
              WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
              ORDER BY attnum) AS columns,
       greatest(c.reltuples, 0)::bigint AS rows,
       c.relpages::bigint * current_setting('block_size')::bigint AS bytes,
       coalesce(pg_stat_get_last_vacuum_time(c.oid)::text, '') AS vacuumed,
       EXISTS (SELECT 1 FROM pg_stat_progress_vacuum p
                WHERE p.datname = current_database()
                  AND (p.relid = c.oid OR p.relid IS NULL AND {_HOLDS.format(table="c.oid")})
              ) AS vacuuming
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relname = %(name)s
   AND CASE WHEN %(schema)s = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END
   AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
"""  # noqa: S608 - constants of this module
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
   AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
 ORDER BY 1, 2 LIMIT 5000
"""
_INDEXES = f"""
SELECT c.relname::text AS name, c.oid::bigint AS number, i.indisvalid AND i.indisready AS valid,
       pg_get_indexdef(c.oid) AS definition,
       (SELECT p.pid FROM pg_stat_progress_create_index p
         WHERE p.datname = current_database()
           AND (p.index_relid = c.oid OR p.relid IS NULL AND NOT i.indisvalid
                AND {_HOLDS.format(table="i.indrelid")})
         LIMIT 1) AS builder,
       i.indisexclusion AS excludes,
       ARRAY[am.amname::text, i.indisunique::text, i.indoption::text, i.indclass::text,
             i.indcollation::text,
             coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
             (SELECT string_agg(quote_ident(pg_get_indexdef(c.oid, k, true)), ',' ORDER BY k)
                FROM generate_series(1, i.indnatts) k)] AS parts
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_am am ON am.oid = c.relam
"""  # noqa: S608 - constants of this module
"""`parts` is what two indexes with the same definition have in common."""
_OF_TABLE = " WHERE n.nspname = %(schema)s AND t.relname = %(table)s ORDER BY 1"
_PROGRESS = f"""
SELECT p.pid, coalesce(p.phase, '') AS phase, coalesce(p.blocks_done, 0) AS blocks_done,
       coalesce(p.blocks_total, 0) AS blocks,
       coalesce(nullif(p.current_locker_pid, 0), (pg_blocking_pids(p.pid))[1])::int AS waits_for
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_stat_progress_create_index p
    ON p.relid = t.oid OR p.relid IS NULL AND {_HOLDS.format(table="t.oid")}
 WHERE p.datname = current_database() AND n.nspname = %(schema)s AND t.relname = %(table)s LIMIT 1
"""  # noqa: S608 - constants of this module
_SAMPLE = "runbookd_sample"

Connection = psycopg.Connection[dict[str, Any]]


def find_table(connection: Connection, name: str) -> Table | NoTable:
    """A table of the application by name, or what is close to it."""
    schema, _, bare = name.rpartition(".")
    found = connection.execute(_TABLE, {"name": bare, "schema": schema}).fetchall()
    if found:
        return Table(**found[0])
    rows = connection.execute(_TABLES, ()).fetchall()
    known = {row["name"]: f"{row['schema']}.{row['name']}" for row in rows}
    return NoTable([known[each] for each in _close(bare, list(known))])


def _close(name: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(name, known, n=3, cutoff=0.5)


def find_indexes(connection: Connection, schema: str, table: str) -> list[dict[str, Any]]:
    """All indexes of a table, valid or not."""
    return connection.execute(_INDEXES + _OF_TABLE, {"schema": schema, "table": table}).fetchall()


def look_at_index(connection: Connection, wanted: WantedIndex) -> IndexState:
    """What is there of an index, compared with what the server makes of the wanted definition."""
    rows = find_indexes(connection, wanted.schema, wanted.table)
    parts = _parts_of(connection, wanted)
    found = next((row for row in rows if row["name"] == wanted.name), None)
    twins = [row["name"] for row in rows if row["parts"] == parts and row["valid"]]
    return IndexState(
        None if found is None else _index(found),
        found is not None and found["parts"] == parts,
        next((each for each in twins if each != wanted.name), ""),
    )


def _index(row: dict[str, Any]) -> Index:
    return Index(**{name: value for name, value in row.items() if name != "parts"})


def _parts_of(connection: Connection, wanted: WantedIndex) -> list[str]:
    """The wanted definition as the server writes it: that of an index on an empty copy of the
    table's columns, which is gone with its transaction."""
    sample = sql.Identifier("pg_temp", _SAMPLE)
    with connection.transaction(force_rollback=True):
        connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {})").format(
                sql.Identifier(_SAMPLE), sql.Identifier(wanted.schema, wanted.table)
            )
        )
        connection.execute(_create(wanted, sample, concurrently=False))
        (row,) = connection.execute(
            _INDEXES + " WHERE t.relname = %(table)s AND n.oid = pg_my_temp_schema()",
            {"table": _SAMPLE},
        ).fetchall()
    parts: list[str] = row["parts"]
    return parts


def _create(
    wanted: WantedIndex, table: sql.Identifier, *, concurrently: bool = True
) -> sql.Composed:
    filtered = sql.SQL(" WHERE {}").format(conditions(wanted.where))
    where: sql.Composable = filtered if wanted.where else sql.SQL("")
    return sql.SQL("CREATE {}INDEX {}{} ON {} ({}){}").format(
        sql.SQL("UNIQUE " if wanted.unique else ""),
        sql.SQL("CONCURRENTLY " if concurrently else ""),
        sql.Identifier(wanted.name),
        table,
        sql.SQL(", ").join(map(sql.Identifier, wanted.columns)),
        where,
    )


_OPERATORS = {
    "=": "{} = {}",
    "!=": "{} <> {}",
    "<": "{} < {}",
    "<=": "{} <= {}",
    ">": "{} > {}",
    ">=": "{} >= {}",
    "is null": "{} IS NULL",
    "is not null": "{} IS NOT NULL",
}


def conditions(given: Sequence[Condition]) -> sql.Composed:
    """Conditions that all hold. Raises KeyError for an operator that is not known."""
    return sql.SQL(" AND ").join(
        sql.SQL(_OPERATORS[each.op]).format(sql.Identifier(each.column), sql.Literal(each.value))
        for each in given
    )


def create_index(wanted: WantedIndex) -> sql.Composed:
    """The statement that builds an index beside readers and writers."""
    return _create(wanted, sql.Identifier(wanted.schema, wanted.table))


def drop_index(schema: str, name: str) -> sql.Composed:
    """The statement that drops an index beside readers and writers."""
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name))


def all_indexes(connection: Connection, schema: str, table: str) -> list[Index]:
    """All indexes of a table, valid or not."""
    return [_index(row) for row in find_indexes(connection, schema, table)]


def rebuild_index(schema: str, name: str) -> sql.Composed:
    """The statement that rebuilds an index beside readers and writers."""
    return sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name))


def vacuum_table(schema: str, table: str, *, analyze: bool) -> sql.Composed:
    """The statement that vacuums a table; it never rewrites it, as FULL would."""
    options = sql.SQL(" (ANALYZE)" if analyze else "")
    return sql.SQL("VACUUM{} {}").format(options, sql.Identifier(schema, table))


def explain_query(
    connection: Connection, schema: str, table: str, where: Sequence[Condition]
) -> Mapping[str, Any]:
    """The plan of a query of one table. It is not executed, in a transaction that may not write."""
    filtered = sql.SQL(" WHERE {}").format(conditions(where)) if where else sql.SQL("")
    query = sql.SQL("EXPLAIN (FORMAT JSON) SELECT * FROM {}{}").format(
        sql.Identifier(schema, table), filtered
    )
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        (row,) = connection.execute(query).fetchall()
    plan: Mapping[str, Any] = row["QUERY PLAN"][0]["Plan"]
    return plan


def look_at_progress(connection: Connection, schema: str, table: str) -> Progress | None:
    """How far the server is with an index of a table."""
    rows = connection.execute(_PROGRESS, {"schema": schema, "table": table}).fetchall()
    return Progress(**rows[0]) if rows else None


class LongStatement:
    """A statement in a thread of its own, so that whoever waits for it can do something else.

    It waits for locks as long as it lasts: what it takes (SHARE UPDATE EXCLUSIVE) keeps neither
    readers nor writers waiting behind it. When this process dies, the server goes on with it.
    `opened` gives the connection to use, and may fail; `late` is the error where the server has
    not answered long after it should have ended the statement itself.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Connection]],
        statement: sql.Composed,
        late: Callable[[], VendorError],
    ) -> None:
        self._opened = opened
        self._statement = statement
        self._late = late
        self._error: Exception | None = None
        self._sent = threading.Event()
        self._ends_at = time.monotonic() + LONGEST_S + MARGIN_S
        self._thread = threading.Thread(target=self._run, name="postgresql", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Whether it has ended. Raises VendorError where it has failed."""
        if self._thread.is_alive():
            if time.monotonic() > self._ends_at:
                raise self._late()
            return False
        if self._error is not None:
            raise self._error
        return True

    def was_sent(self) -> bool:
        """Whether the server may have been given it."""
        return self._sent.is_set()

    def _run(self) -> None:
        try:
            with self._opened() as connection:
                connection.execute(f"SET statement_timeout = '{LONGEST_S}s'")
                connection.execute("SET lock_timeout = 0")
                self._sent.set()
                connection.execute(self._statement)
        except Exception as error:
            self._error = error  # raised where somebody waits for it
