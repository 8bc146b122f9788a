"""A project's databases, asked over SQL: the primary and its replicas, each by its address.

The management API reaches the primary alone. Whether a replica follows, only the replica knows.
This module is imported when SUPABASE_SQL_URL is set, so that no other installation loads psycopg
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote as url_quote

import psycopg

from service.bounded import Bounded, Overdue
from service.domain.errors import FailureKind
from service.ports.supabase import Address, Mark, Sight
from service.providers.errors import Call, in_words, quote, reading
from service.providers.waits import Timeouts

T = TypeVar("T")
SETTING = "SUPABASE_SQL_URL"
PLACES = ("{host}", "{user}", "{identifier}")
"""What an address of the setting is completed with, for each database."""
_STATEMENT_MS = 5_000
"""The longest that the database works on one question of ours, in milliseconds."""
_HEARTBEAT = "select pg_logical_emit_message(true, 'runbookd', 'heartbeat')"
"""A message in the log of the primary alone: no table is needed, and a replica replays it."""
_MARK = """
select pg_current_wal_lsn()::text,
       (select system_identifier::text from pg_control_system()),
       current_setting('max_connections')::int
"""
_SIGHT = """
select pg_is_in_recovery(),
       case when pg_is_in_recovery()
            then pg_wal_lsn_diff(%(lsn)s::pg_lsn, pg_last_wal_replay_lsn())::bigint else 0 end,
       case when not pg_is_in_recovery()
              or pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
            else coalesce(extract(epoch from now() - pg_last_xact_replay_timestamp()), 0) end,
       (select system_identifier::text from pg_control_system()),
       current_setting('max_connections')::int
"""
_READERS = """
select (select count(*) from pg_stat_activity
        where usename = any(%(roles)s) and pid <> pg_backend_pid()
          and application_name <> 'runbookd'),
       array(select role from unnest(%(roles)s::text[]) as role
             where role not in (select rolname from pg_roles)),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
"""
"""With the roles that the database does not know, and whether other roles' connections are seen."""
_TRIED_WRITE = "create temporary table runbookd_tries_to_write ()"
"""Where it is taken after all, it is gone with the transaction."""


class SupabaseSql:
    """Primary and replicas over SQL (`service.ports.supabase.DatabaseSql`). Safe for threads: each
    question has a connection of its own, which is closed after it.

    `template` is the address of the setting, with `{host}`, `{user}` or `{identifier}` in it.
    """

    def __init__(self, template: str, timeouts: Timeouts | None = None) -> None:
        self._template = template
        self._timeouts = timeouts or Timeouts()

    def heartbeat(self, primary: Address) -> Mark:
        """Write a few bytes into the primary's log, and say up to where it goes."""

        def ask(connection: psycopg.Connection[Any]) -> Mark:
            connection.execute(_HEARTBEAT)
            connection.commit()
            row = _row(connection.execute(_MARK))
            return Mark(str(row[0]), str(row[1]), int(row[2]))

        return self._ask(primary, "write a heartbeat into", ask)

    def sight(self, replica: Address, mark: Mark) -> Sight:
        """What the replica shows of the mark, and whether it refuses a write."""

        def ask(connection: psycopg.Connection[Any]) -> Sight:
            row = _row(connection.execute(_SIGHT, {"lsn": mark.lsn}))
            connection.rollback()
            refused = _tried_to_write(connection)
            return Sight(
                bool(row[0]), int(row[1]), float(row[2]), str(row[3]), int(row[4]), refused
            )

        return self._ask(replica, "look at", ask)

    def readers(self, replica: Address, roles: Sequence[str]) -> int:
        """How many connections of these roles are open, ours not counted.

        Raises:
            VendorError: PERMANENT where nobody would be counted, whoever reads: a role is not
                known, or the connections of others are hidden.
        """

        def ask(connection: psycopg.Connection[Any]) -> Sequence[Any]:
            return _row(connection.execute(_READERS, {"roles": list(roles)}))

        what = "count the connections of"
        count, unknown, sees_all = self._ask(replica, what, ask)
        call = Call("supabase", f"{what} database {replica.identifier}", True, SETTING)
        if unknown:
            sentence = (
                f"The database has no role {' or '.join(unknown)}, so who reads from the replica "
                "is not known. Write the application's roles into `readers` of the target."
            )
            raise call.error(FailureKind.PERMANENT, sentence)
        if not sees_all:
            sentence = (
                f"The role in {SETTING} does not see the connections of others, so who reads from "
                "the replica is not known. Grant it pg_monitor."
            )
            raise call.error(FailureKind.PERMANENT, sentence)
        return int(count)

    def _ask(self, at: Address, what: str, question: Callable[[psycopg.Connection[Any]], T]) -> T:
        address = self._address(at)
        call = Call("supabase", f"{what} database {at.identifier}", True, SETTING, address)

        def asked() -> T:
            with _connected(address, self._timeouts.connect) as connection, reading(call):
                return question(connection)

        with _in_words(call):
            # A frozen server takes a question and never answers it.
            return Bounded(self._timeouts.total)(asked)

    def _address(self, at: Address) -> str:
        found = self._template
        for place, value in zip(PLACES, (at.host, at.user, at.identifier), strict=True):
            found = found.replace(place, url_quote(value, safe="."))
        return found


@contextmanager
def _connected(address: str, connect_s: float) -> Iterator[psycopg.Connection[Any]]:
    connection = psycopg.connect(
        address,
        connect_timeout=max(2, int(connect_s)),  # libpq takes whole seconds, and no less than 2
        application_name="runbookd",
        prepare_threshold=None,  # a pooler in transaction mode may not know prepared statements
    )
    try:
        connection.execute(f"set local statement_timeout = {_STATEMENT_MS}")
        yield connection
        connection.rollback()
    finally:
        connection.close()


def _row(cursor: psycopg.Cursor[Any]) -> Sequence[Any]:
    """The one row of a question that always has one."""
    row: Sequence[Any] | None = cursor.fetchone()
    return row or ()


def _tried_to_write(connection: psycopg.Connection[Any]) -> str:
    """The code with which a write is refused; empty where it is taken."""
    try:
        connection.execute(_TRIED_WRITE)
    except psycopg.Error as refused:
        return refused.sqlstate or "no code"
    finally:
        connection.rollback()
    return ""


@contextmanager
def _in_words(call: Call) -> Iterator[None]:
    """Turn what psycopg raises into what a step may raise, without the address."""
    try:
        yield
    except Overdue:
        sentence = f"The request to {call.operation} was not answered in time."
        raise call.error(FailureKind.TEMPORARY, sentence) from None
    except psycopg.Error as problem:
        words = quote(call, in_words(problem)).rstrip(".")
        # No code: the server was not reached. 57: it is starting or stopping. 53: it is full.
        code = problem.sqlstate or ""
        passing = not code or code[:2] in ("08", "53", "57")
        kind = FailureKind.TEMPORARY if passing else FailureKind.PERMANENT
        raise call.error(
            kind,
            f"The request to {call.operation} failed: {words}. Check {SETTING}, and whether its "
            "role may do this.",
        ) from None
