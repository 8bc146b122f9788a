"""Old rows of the application's PostgreSQL: what the catalog says of them, and how they move."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from service.ports.app_database import ArchiveState, Batch, Filed, OldRows

_COLUMNS = """
SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type,
       format_type(a.atttypid, a.atttypmod) AS whole_type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p')
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""
_STATE = """
SELECT pg_database_size(current_database()) AS bytes,
       EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a
                   ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = t.oid AND a.attname = %(column)s
                  AND i.indisvalid AND i.indisready AND i.indpred IS NULL) AS indexed,
       ARRAY(SELECT k.conrelid::regclass::text FROM pg_constraint k
              WHERE k.confrelid = t.oid AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')
              ORDER BY 1) AS children,
       ARRAY(SELECT g.tgname::text FROM pg_trigger g
              WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
                AND g.tgtype & 8 <> 0
              UNION SELECT r.rulename::text FROM pg_rewrite r
              WHERE r.ev_class = t.oid AND r.ev_type = '4' ORDER BY 1) AS triggers,
       t.relrowsecurity AND EXISTS (
           SELECT 1 FROM pg_class o WHERE o.relnamespace = n.oid AND o.relname = %(into)s
              AND NOT o.relrowsecurity) AS exposed
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname = %(schema)s AND t.relname = %(table)s
"""
_NOW = {
    "timestamp with time zone": "clock_timestamp()",
    "timestamp without time zone": "clock_timestamp() AT TIME ZONE 'UTC'",
    "date": "clock_timestamp() AT TIME ZONE 'UTC'",
}
"""The moment from which the age of a column of each type is counted. One without a zone counts as
UTC."""
_LAG = """
SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 AS lag,
       count(*) > 0 AND NOT pg_has_role('pg_read_all_stats', 'USAGE') AS unseen
FROM pg_stat_replication
"""

Connection = psycopg.Connection[dict[str, Any]]


class ColumnsChangedError(Exception):
    """A table has other columns than a plan saw; `columns` are those that are new or gone."""

    def __init__(self, columns: list[str]) -> None:
        super().__init__(", ".join(columns))


def look_at_archive(
    connection: Connection, schema: str, table: str, column: str, into: str, older_s: float
) -> ArchiveState:
    """What moving rows of a table needs to know."""
    found = _described(connection, schema, table)
    archive = _columns(connection, schema, into)
    place = {"schema": schema, "table": table, "column": column, "into": into}
    (state,) = connection.execute(_STATE, place).fetchall()
    kind = next(str(each["type"]) for each in found if each["name"] == column)
    cutoff, due = "", False
    if kind in _NOW:
        cutoff = _cutoff(connection, kind, older_s)
        due = state["indexed"] and is_due(
            connection, Batch(schema, table, into, (), column, kind, cutoff, 1)
        )
    return ArchiveState(
        database_bytes=int(state["bytes"]),
        type=kind,
        indexed=bool(state["indexed"]),
        cutoff=cutoff,
        due=bool(due),
        columns=_whole_types(found),
        into=archive or None,
        children=list(dict.fromkeys(state["children"])),
        triggers=list(state["triggers"]),
        exposed=bool(state["exposed"]),
        lag_unseen=lag_s(connection) is None,
    )


def _described(connection: Connection, schema: str, table: str) -> list[dict[str, Any]]:
    """What the catalog says of each column."""
    return connection.execute(_COLUMNS, {"schema": schema, "table": table}).fetchall()


def _whole_types(found: list[dict[str, Any]]) -> dict[str, str]:
    """The columns with their types, lengths and precisions: rows must not be cut to other ones."""
    return {each["name"]: each["whole_type"] for each in found}


def _columns(connection: Connection, schema: str, table: str) -> dict[str, str]:
    return _whole_types(_described(connection, schema, table))


def _cutoff(connection: Connection, kind: str, older_s: float) -> str:
    """The moment so many seconds ago, by the server's clock, as text of the column's type."""
    query = sql.SQL("SELECT (({now}) - make_interval(secs => {age}))::{kind}::text AS at").format(
        now=sql.SQL(_NOW[kind]),
        age=sql.Literal(older_s),
        kind=sql.SQL(kind),
    )
    (row,) = connection.execute(query).fetchall()
    return str(row["at"])


def make_archive(connection: Connection, schema: str, table: str, into: str) -> bool:
    """Make a table with the columns of another; whether it was not there. It has neither keys nor
    defaults: what it gets are whole rows.

    Row security is on and has no policy. So nobody but its owner reads it, whatever a schema grants
    on new tables and whatever policies the other table has.
    """
    name = sql.Identifier(schema, into)
    with connection.transaction():
        there = bool(_columns(connection, schema, into))
        if not there:
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE {})").format(
                    name, sql.Identifier(schema, table)
                )
            )
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
    return not there


def move(connection: Connection, batch: Batch) -> tuple[int, int]:
    """Move rows in one transaction: how many were deleted and how many inserted. Where the two
    differ, it was rolled back.

    Raises:
        ColumnsChangedError: the table has other columns than the plan saw. Nothing was moved.
    """
    table = sql.Identifier(batch.schema, batch.table)
    columns = sql.SQL(", ").join(map(sql.Identifier, batch.columns))
    statement = sql.SQL(
        "WITH due AS (SELECT ctid FROM ONLY {table} WHERE {old} ORDER BY {column} LIMIT {rows} "
        "FOR UPDATE SKIP LOCKED), "
        "gone AS (DELETE FROM ONLY {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM due)) "
        "AND {old} RETURNING {columns}), "
        "kept AS (INSERT INTO {into} ({columns}) SELECT {columns} FROM gone RETURNING 1) "
        "SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM kept) AS kept"
    ).format(
        table=table,
        old=_old(batch),
        column=sql.Identifier(batch.column),
        rows=sql.Literal(batch.rows),
        columns=columns,
        into=sql.Identifier(batch.schema, batch.into),
    )
    with connection.transaction() as transaction:
        _require_columns(connection, batch)
        (row,) = connection.execute(statement).fetchall()
        gone, kept = int(row["gone"]), int(row["kept"])
        if gone != kept:
            raise psycopg.Rollback(transaction)
    return gone, kept


def make_list(connection: Connection, schema: str, into: str) -> bool:
    """Make the table that lists the files of archived rows; whether it was not there. Nobody but
    its owner reads it. A key may be listed twice: then its rows were there twice."""
    name = sql.Identifier(schema, into)
    with connection.transaction():
        there = bool(_columns(connection, schema, into))
        if not there:
            connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} (key text NOT NULL, rows bigint NOT NULL, "
                    "sha256 text NOT NULL, bytes bigint NOT NULL, columns text[] NOT NULL, "
                    "filed_at timestamptz NOT NULL DEFAULT clock_timestamp())"
                ).format(name)
            )
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
    return not there


def old_rows(connection: Connection, batch: Batch) -> OldRows:
    """The rows of a batch in COPY's text form, each with its place. No lock outlives the look.

    Raises:
        ColumnsChangedError: the table has other columns than the plan saw.
    """
    statement = sql.SQL(
        "COPY (SELECT ctid, {columns} FROM ONLY {table} WHERE {old} ORDER BY {column} "
        "LIMIT {rows} FOR UPDATE SKIP LOCKED) TO STDOUT"
    ).format(
        columns=_listed(batch),
        table=sql.Identifier(batch.schema, batch.table),
        old=_old(batch),
        column=sql.Identifier(batch.column),
        rows=sql.Literal(batch.rows),
    )
    with connection.transaction():
        _require_columns(connection, batch)
        copied = _copied(connection, statement)
    pairs = [line.split(b"\t", 1) for line in copied]
    return OldRows(tuple(pair[0].decode() for pair in pairs), tuple(pair[1] for pair in pairs))


def delete_filed(connection: Connection, batch: Batch, rows: OldRows, filed: Filed) -> bool:
    """Delete these rows, if all of them are still as they were read, and list their file.

    What is deleted comes back in the same text form. So the rows that are gone are the lines of the
    file, byte for byte, or nothing is gone.

    Raises:
        ColumnsChangedError: the table has other columns than the plan saw.
    """
    places = sql.SQL(", ").join(map(sql.Literal, rows.places))
    statement = sql.SQL(
        "COPY (DELETE FROM ONLY {table} WHERE ctid = ANY (ARRAY[{places}]::tid[]) AND {old} "
        "RETURNING {columns}) TO STDOUT"
    ).format(
        table=sql.Identifier(batch.schema, batch.table),
        places=places,
        old=_old(batch),
        columns=_listed(batch),
    )
    listed = sql.SQL(
        "INSERT INTO {} (key, rows, sha256, bytes, columns) VALUES (%s, %s, %s, %s, %s)"
    ).format(sql.Identifier(batch.schema, batch.into))
    with connection.transaction() as transaction:
        _require_columns(connection, batch)
        gone = _copied(connection, statement)
        is_same = sorted(gone) == sorted(rows.lines)
        if not is_same:
            raise psycopg.Rollback(transaction)
        entry = (filed.key, filed.rows, filed.sha256, filed.size, list(batch.columns))
        connection.execute(listed, entry)
    return is_same


def _copied(connection: Connection, statement: sql.Composed) -> list[bytes]:
    """The lines that a COPY writes, without their ends. In the text form no line has an end within
    it, and times are written the same whatever the role's settings are."""
    connection.execute("SET LOCAL datestyle TO 'ISO'")
    connection.execute("SET LOCAL intervalstyle TO 'postgres'")
    connection.execute("SET LOCAL timezone TO 'UTC'")
    connection.execute("SET LOCAL extra_float_digits TO 1")
    connection.execute("SET LOCAL bytea_output TO 'hex'")
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        content = b"".join(bytes(piece) for piece in copy)
    return content.split(b"\n")[:-1]


def _listed(batch: Batch) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, batch.columns))


def _require_columns(connection: Connection, batch: Batch) -> None:
    """Nobody changes the columns until the end of the transaction."""
    table = sql.Identifier(batch.schema, batch.table)
    connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE").format(table))
    now = _columns(connection, batch.schema, batch.table)
    if other := sorted(set(now) ^ set(batch.columns)):
        raise ColumnsChangedError(other)


def is_due(connection: Connection, batch: Batch) -> bool:
    """Whether a row is left that is to move."""
    query = sql.SQL("SELECT EXISTS (SELECT 1 FROM ONLY {} WHERE {}) AS due").format(
        sql.Identifier(batch.schema, batch.table), _old(batch)
    )
    (row,) = connection.execute(query).fetchall()
    return bool(row["due"])


def _old(batch: Batch) -> sql.Composed:
    return sql.SQL("{} < {}::{}").format(
        sql.Identifier(batch.column), sql.Literal(batch.cutoff), sql.SQL(_TYPES[batch.type])
    )


_TYPES = {kind: kind for kind in _NOW}
"""The types whose names may stand in a statement. Raises KeyError for any other."""


def lag_s(connection: Connection) -> float | None:
    """How far the last of the replicas is behind, in seconds. Without `pg_read_all_stats` our role
    sees that there is one, and nothing of it: None."""
    (row,) = connection.execute(_LAG).fetchall()
    return None if row["unseen"] else float(row["lag"])
