"""The application's own PostgreSQL, by its own address and by psycopg.

Each call opens a connection of its own and closes it: runs are rare, and a connection that is kept
is one that the application lacks. Every connection says who it is, waits for locks and answers only
for a while, and is refused where it leads to runbookd's own database or through a pooler that
shares sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from service.domain.errors import FailureKind, VendorError
from service.ports.app_database import (
    Activity,
    ArchiveState,
    Batch,
    Condition,
    Filed,
    FlagPlace,
    Flags,
    Index,
    IndexState,
    LoginRole,
    NoTable,
    OldRows,
    Partition,
    Partitions,
    Progress,
    Running,
    Server,
    Session,
    Settings,
    Table,
    WantedIndex,
    WantedPartition,
    Work,
)
from service.providers import postgresql_archive as archive
from service.providers import postgresql_flags as flags
from service.providers import postgresql_partitions as partitions
from service.providers import postgresql_settings as settings
from service.providers import postgresql_upkeep as upkeep
from service.providers.errors import Call, in_words, no_answer, quote
from service.providers.postgresql_deadline import Deadline
from service.providers.waits import Timeouts

SETTING = "APP_DATABASE_URL"
APPLICATION = "runbookd"
"""What the server shows of our sessions (`application_name`)."""
CONNECT_S = 5
"""Seconds for a connection."""
STATEMENT_S = 8
"""Seconds for a statement that only looks or signals."""
DEADLINE_S = Timeouts().total
"""Seconds for a whole call, whatever the server does. A worker's lease outlasts it."""
LOCK_S = 5
"""Seconds that a statement waits for a lock. One that waits keeps others waiting behind it."""
TRANSACTION_POOLER_PORT = 6543
"""Supabase's port for the pooler that shares sessions between clients."""
_DIRECT = (
    f"Set {SETTING} to the database's direct address, or to the pooler's session mode (Supabase: "
    "port 5432)."
)

_SERVER = """
SELECT current_database() AS database,
       current_setting('server_version_num')::int AS version,
       current_user AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS may_signal,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
       pg_is_in_recovery() AS replica
"""
_ROLES = """
SELECT rolname AS name, rolsuper AS superuser, pg_has_role(current_user, oid, 'USAGE') AS ours
  FROM pg_roles WHERE rolcanlogin ORDER BY rolname LIMIT 1000
"""
_SINCE = "CASE WHEN a.state LIKE 'idle in transaction%%' THEN a.state_change ELSE a.query_start END"
"""Since when it does what it does now. A transaction that works, and is only between two
statements, has just begun to be idle."""
_SESSIONS = f"""
SELECT a.pid, coalesce(a.backend_type, '') AS kind, coalesce(a.usename, '') AS role,
       a.application_name AS application, coalesce(a.state, '') AS state,
       a.backend_start::text AS began, ({_SINCE})::text AS since,
       extract(epoch FROM clock_timestamp() - ({_SINCE}))::float8 AS age_s,
       coalesce(a.query, '') AS text, left(md5(coalesce(a.query, '')), 8) AS digest,
       a.pid IN (SELECT pid FROM pg_stat_progress_create_index
           UNION SELECT pid FROM pg_stat_progress_vacuum
           UNION SELECT pid FROM pg_stat_progress_analyze
           UNION SELECT pid FROM pg_stat_progress_cluster
           UNION SELECT pid FROM pg_stat_progress_copy) AS maintains
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
   AND a.state <> 'idle' AND ({_SINCE}) IS NOT NULL
 ORDER BY since LIMIT 1000
"""  # noqa: S608 - constants of this module
_SAME = f"""
  FROM pg_stat_activity a
  JOIN unnest(%(pids)s::int[], %(began)s::timestamptz[], %(since)s::timestamptz[], %(idle)s::bool[])
       AS w(pid, began, since, idle)
    ON a.pid = w.pid AND a.backend_start = w.began AND ({_SINCE}) = w.since
   AND CASE WHEN w.idle THEN a.state LIKE 'idle in transaction%%' ELSE a.state = 'active' END
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
   AND a.backend_type = 'client backend'
"""
"""The same session with the same work. It is part of the statement that signals, so nothing but the
time of one statement lies between the look and the signal."""
_IDENTITY = """
SELECT (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
       pg_postmaster_start_time()::text
"""


@dataclass(frozen=True, slots=True)
class _Identity:
    """Which database it is: its server, as far as the server says, and its number there.

    A copy of a server by streaming has the same `system` as the server itself.
    """

    system: int | None
    started: str
    number: int

    def is_same(self, other: _Identity) -> bool:
        if self.number != other.number:
            return False
        if self.system is not None and other.system is not None:
            return self.system == other.system
        return self.started == other.started


@contextmanager
def _same_columns(operation: str, batch: Batch) -> Iterator[None]:
    """Say what to do where the columns of a table are other ones than the plan saw."""
    try:
        yield
    except archive.ColumnsChangedError as changed:
        raise VendorError(
            "postgresql",
            operation,
            FailureKind.PERMANENT,
            f"The columns of {batch.table} have changed since the plan was made: {changed}. No row "
            "of this batch was moved. Add them to the archive, and ask again.",
        ) from None


class PostgresDatabase:
    """One database (`service.ports.app_database.AppDatabase`). Safe for threads.

    `own_url` is the address of runbookd's own database where that is a PostgreSQL, else empty.
    """

    def __init__(self, *, url: str, own_url: str = "", deadline_s: float = DEADLINE_S) -> None:
        self._url = url
        self._own_url = own_url
        self._deadline_s = deadline_s
        self._is_direct = False

    def server(self) -> Server:
        """The server, and what our role may do there."""
        with self._open("say what our role may do") as connection:
            (server,) = connection.execute(_SERVER).fetchall()
        return Server(**server)

    def table(self, name: str) -> Table | NoTable:
        """A table by name."""
        with self._open(f"look up table {name}") as connection:
            return upkeep.find_table(connection, name)

    def index(self, wanted: WantedIndex) -> IndexState:
        """What is there of an index."""
        with self._open(f"look at index {wanted.name}") as connection:
            return upkeep.look_at_index(connection, wanted)

    def build(self, wanted: WantedIndex) -> Running:
        """Build an index."""
        return self._long(f"build index {wanted.name}", upkeep.create_index(wanted))

    def drop_index(self, schema: str, name: str) -> Running:
        """Drop an index."""
        return self._long(f"drop index {name}", upkeep.drop_index(schema, name))

    def indexes(self, schema: str, table: str) -> Sequence[Index]:
        """All indexes of a table."""
        with self._open(f"look at the indexes of {table}") as connection:
            return upkeep.all_indexes(connection, schema, table)

    def rebuild(self, schema: str, name: str) -> Running:
        """Rebuild an index."""
        return self._long(f"rebuild index {name}", upkeep.rebuild_index(schema, name))

    def vacuum(self, schema: str, table: str, *, analyze: bool) -> Running:
        """Vacuum a table."""
        statement = upkeep.vacuum_table(schema, table, analyze=analyze)
        return self._long(f"vacuum table {table}", statement)

    def explain(self, schema: str, table: str, where: Sequence[Condition]) -> Mapping[str, Any]:
        """The plan of a query of one table."""
        with self._open(f"explain a query of {table}") as connection:
            return upkeep.explain_query(connection, schema, table, where)

    def progress(self, schema: str, table: str) -> Progress | None:
        """How far the server is with an index of this table."""
        with self._open("ask how far an index is") as connection:
            return upkeep.look_at_progress(connection, schema, table)

    def partitions(self, schema: str, table: str) -> Partitions:
        """How a table is partitioned."""
        with self._open(f"look at the partitions of {table}") as connection:
            return partitions.look_at_partitions(connection, schema, table)

    def rows_within(self, wanted: WantedPartition) -> int | None:
        """How many rows of the default partition belong into this one."""
        with self._open(f"count rows of {wanted.default}") as connection:
            return partitions.count_within(connection, wanted)

    def exclude(self, wanted: WantedPartition) -> None:
        """Have the default partition take no new row of this one."""
        operation = f"add a constraint to {wanted.default}"
        with self._open(operation, repeatable=False) as connection:
            partitions.exclude(connection, wanted)

    def prove_excluded(self, wanted: WantedPartition) -> Running:
        """Prove that the default partition has no such row."""
        operation = f"prove a constraint of {wanted.default}"
        return self._long(operation, partitions.prove_excluded(wanted))

    def include_again(self, wanted: WantedPartition) -> None:
        """Have the default partition take such rows again."""
        operation = f"drop the constraint of {wanted.default}"
        with self._open(operation) as connection:
            partitions.include_again(connection, wanted)

    def add_partition(self, wanted: WantedPartition) -> None:
        """Make a partition and attach it."""
        with self._open(f"make partition {wanted.name}", repeatable=False) as connection:
            partitions.add_partition(connection, wanted)

    def detach(self, schema: str, table: str, partition: Partition) -> Running:
        """Detach a partition."""
        statement = partitions.detach(schema, table, partition)
        return self._long(f"detach partition {partition.name}", statement)

    def blockers(self) -> Sequence[int]:
        """Whom runbookd's own sessions wait for."""
        with self._open("ask whom our sessions wait for") as connection:
            return partitions.blockers(connection)

    def _long(self, operation: str, statement: sql.Composed) -> Running:
        call = Call("postgresql", operation, repeatable=False)
        return upkeep.LongStatement(
            lambda: self._open(operation, repeatable=False, lasts=True),
            statement,
            lambda: no_answer(call, "the server has not even ended it for taking too long"),
        )

    def archive_state(
        self, schema: str, table: str, column: str, into: str, older_s: float
    ) -> ArchiveState:
        """What moving rows of this table needs to know."""
        with self._open(f"look at the old rows of {table}") as connection:
            return archive.look_at_archive(connection, schema, table, column, into, older_s)

    def make_archive(self, schema: str, table: str, into: str) -> bool:
        """Make the archive, unless it is there."""
        # IF NOT EXISTS: sent again, it finds what the first one has made.
        with self._open(f"make table {into}") as connection:
            return archive.make_archive(connection, schema, table, into)

    def archive_batch(self, batch: Batch) -> int:
        """Move rows in one transaction."""
        operation = f"move rows to {batch.into}"
        with self._open(operation, repeatable=False) as connection, _same_columns(operation, batch):
            gone, kept = archive.move(connection, batch)
        if gone != kept:
            raise VendorError(
                "postgresql",
                f"move rows to {batch.into}",
                FailureKind.PERMANENT,
                f"PostgreSQL deleted {gone} rows of {batch.table} and inserted {kept} into "
                f"{batch.into}, so the batch was rolled back. Look at the triggers of both tables.",
            )
        return gone

    def make_list(self, schema: str, into: str) -> bool:
        """Make the list of the files, unless it is there."""
        # As make_archive: IF NOT EXISTS makes it safe to repeat.
        with self._open(f"make the list {into}") as connection:
            return archive.make_list(connection, schema, into)

    def old_rows(self, batch: Batch) -> OldRows:
        """The rows of a batch, as they are now."""
        operation = f"read old rows of {batch.table}"
        with self._open(operation) as connection, _same_columns(operation, batch):
            return archive.old_rows(connection, batch)

    def delete_filed(self, batch: Batch, rows: OldRows, filed: Filed) -> bool:
        """Delete rows that are in a file, and list the file."""
        operation = f"delete rows of {batch.table} that are in a file"
        with self._open(operation, repeatable=False) as connection, _same_columns(operation, batch):
            return archive.delete_filed(connection, batch, rows, filed)

    def is_due(self, batch: Batch) -> bool:
        """Whether a row is left that is to move."""
        with self._open(f"look for old rows of {batch.table}") as connection:
            return archive.is_due(connection, batch)

    def replica_lag_s(self) -> float | None:
        """How far the last of the replicas is behind; None where our role must not see it."""
        with self._open("ask how far the replicas are") as connection:
            return archive.lag_s(connection)

    def flags(self, place: FlagPlace, names: Sequence[str]) -> Flags | NoTable:
        """These feature flags as they are."""
        with self._open(f"look at flags in {place.table}") as connection:
            return flags.look_at_flags(connection, place, names)

    def set_flags(self, place: FlagPlace, was: Mapping[str, bool], to: Mapping[str, bool]) -> bool:
        """Set all of these flags, or none."""
        with self._open(f"set flags in {place.table}", repeatable=False) as connection:
            return flags.set_flags(connection, place, was, to)

    def settings(self, names: Sequence[str]) -> Settings:
        """Settings of the server as they are."""
        with self._open("look at settings") as connection:
            return settings.look_at_settings(connection, names)

    def alter_system(self, name: str, value: str | None) -> None:
        """Write one setting to the server's own file."""
        with self._open(f"set {name}", repeatable=False) as connection:
            connection.execute(settings.alter_system(name, value))

    def reload(self) -> None:
        """Have the server read its files."""
        with self._open("read its settings anew") as connection:
            connection.execute("SELECT pg_reload_conf()")

    def activity(self) -> Activity:
        """What goes on in the database now."""
        with self._open("look at the sessions") as connection:
            (server,) = connection.execute(_SERVER).fetchall()
            roles = connection.execute(_ROLES).fetchall()
            sessions = connection.execute(_SESSIONS, ()).fetchall()
        return Activity(
            Server(**server),
            [LoginRole(**each) for each in roles],
            [Session(**each) for each in sessions],
        )

    def going_on(self, works: Sequence[Work]) -> Sequence[Work]:
        """Those of them that still go on."""
        with self._open("look whether sessions go on") as connection:
            rows = connection.execute(f"SELECT a.pid {_SAME}", _arrays(works)).fetchall()
        pids = {row["pid"] for row in rows}
        return [each for each in works if each.pid in pids]

    def cancel(self, works: Sequence[Work]) -> Sequence[int]:
        """Cancel the query of each that still goes on."""
        return self._signal("cancel queries", "pg_cancel_backend", works)

    def terminate(self, works: Sequence[Work]) -> Sequence[int]:
        """End the session of each that still goes on."""
        return self._signal("end sessions", "pg_terminate_backend", works)

    def _signal(self, operation: str, function: str, works: Sequence[Work]) -> Sequence[int]:
        with self._open(operation, repeatable=False) as connection:
            signal = f"SELECT a.pid, {function}(a.pid) AS told {_SAME}"
            rows = connection.execute(signal, _arrays(works)).fetchall()
        return [row["pid"] for row in rows if row["told"]]

    def session(
        self, operation: str, *, repeatable: bool = True
    ) -> AbstractContextManager[psycopg.Connection[dict[str, Any]]]:
        """A connection for something else than this port, with the same limits and refusals."""
        return self._open(operation, repeatable=repeatable)

    @contextmanager
    def _open(
        self, operation: str, *, repeatable: bool = True, lasts: bool = False
    ) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A connection for one call. Its errors come out as VendorError.

        All of the call has to end within `DEADLINE_S`; of one that `lasts`, all that comes before
        its own statement.
        """
        call = Call("postgresql", operation, repeatable, SETTING, self._password(operation))
        # Until the call's own statement is sent, nothing can have been done by it.
        asking = Call("postgresql", operation, True, SETTING, call.secret)
        deadline = Deadline(self._deadline_s)
        try:
            with self._connected(asking, deadline) as connection:
                with _telling(asking, deadline=deadline):
                    _prepare(connection)
                    self._require_foreign(connection, asking, deadline)
                    self._require_direct(connection, asking, deadline)
                if lasts:
                    deadline.lift()
                with _telling(call, deadline=deadline):
                    yield connection
        finally:
            deadline.lift()

    def _password(self, operation: str) -> str:
        call = Call("postgresql", operation, True, SETTING)
        if not self._url:
            raise call.error(
                FailureKind.PERMANENT,
                f"{SETTING} is not set, so PostgreSQL cannot be asked to {operation}. Set it to "
                "the application's database, such as postgresql://runbookd:…@host:5432/app.",
            )
        try:
            given = conninfo_to_dict(self._url)
        except psycopg.Error:
            sentence = f"{SETTING} is no address of a PostgreSQL: write postgresql://user:password@host:5432/app."
            raise call.error(FailureKind.PERMANENT, sentence) from None
        if str(given.get("port", "")) == str(TRANSACTION_POOLER_PORT):
            raise _shares_sessions(call, f"port {TRANSACTION_POOLER_PORT} is such a pooler's")
        return str(given.get("password") or "")

    @contextmanager
    def _connected(
        self, call: Call, deadline: Deadline, url: str = "", whose: str = ""
    ) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A connection to `url`, the application's database where it is empty."""
        address = _with_limits(url or self._url)

        def connect() -> psycopg.Connection[dict[str, Any]]:
            return psycopg.connect(address, autocommit=True, row_factory=dict_row)

        with ExitStack() as stack:
            with _telling(call, whose, connecting=True):
                connection = stack.enter_context(deadline.connected(connect, CONNECT_S))
            yield connection

    def _require_foreign(
        self, connection: psycopg.Connection[Any], call: Call, deadline: Deadline
    ) -> None:
        """Refuse runbookd's own database, whatever either address calls it."""
        if not self._own_url:
            return
        theirs = _identity(connection)
        whose = "runbookd's own database"
        with (
            self._connected(call, deadline, self._own_url, whose) as own,
            _telling(call, whose, deadline=deadline),
        ):
            _prepare(own)
            ours = _identity(own)
        if theirs.is_same(ours):
            raise call.error(
                FailureKind.PERMANENT,
                f"{SETTING} leads to the database that runbookd keeps its own state in, or to a "
                "replica of it: PostgreSQL says so itself. Nothing is done there. Set it to the "
                "application's database.",
            )

    def _require_direct(
        self, connection: psycopg.Connection[Any], call: Call, deadline: Deadline
    ) -> None:
        """Refuse a pooler that shares sessions: there, our time-outs would be another client's.

        Such a pooler gives two clients at rest the same session, or one client now this and now
        that one. What was seen once holds for this process.
        """
        if self._is_direct:
            return
        first = connection.execute("SELECT pg_backend_pid() AS pid").fetchall()
        with self._connected(call, deadline) as beside:
            second = beside.execute("SELECT pg_backend_pid() AS pid").fetchall()
            third = connection.execute("SELECT pg_backend_pid() AS pid").fetchall()
        if first == second or first != third:
            raise _shares_sessions(call, "two connections were given the same session")
        self._is_direct = True


def _arrays(works: Sequence[Work]) -> dict[str, list[Any]]:
    return {
        "pids": [each.pid for each in works],
        "began": [each.began for each in works],
        "since": [each.since for each in works],
        "idle": [each.idle for each in works],
    }


def _with_limits(url: str) -> str:
    return make_conninfo(
        url,
        application_name=APPLICATION,
        connect_timeout=CONNECT_S,
        # A machine that is gone is noticed within half a minute, also during a long statement.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=int(DEADLINE_S * 1000),
    )


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """Set the limits by statements: a pooler refuses them as options of the connection."""
    connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
    connection.execute(f"SET lock_timeout = '{LOCK_S}s'")
    connection.execute("SET timezone = 'UTC'")  # what is compared as text has to look alike


def _identity(connection: psycopg.Connection[Any]) -> _Identity:
    try:
        (row,) = connection.execute(
            "SELECT system_identifier AS system FROM pg_control_system()"
        ).fetchall()
        system: int | None = row["system"]
    except psycopg.errors.InsufficientPrivilege:  # some vendors take the right away
        system = None
    (found,) = connection.execute(_IDENTITY).fetchall()
    number, started = found.values()
    return _Identity(system, started, number)


def _shares_sessions(call: Call, seen: str) -> VendorError:
    return call.error(
        FailureKind.PERMANENT,
        f"{SETTING} leads through a pooler in transaction mode, which shares sessions between "
        f"clients ({seen}). PostgreSQL cannot be asked to {call.operation} there. {_DIRECT}",
    )


_BUSY = ("53", "40", "55", "57P03")
"""SQLSTATEs after which the same may succeed: out of connections or memory, a conflict, a lock that
was not given in time, a server that starts."""
_ENDED = ("08", "57P01", "57P02")
"""SQLSTATEs of a connection that is gone: what was sent may have been done."""
_CANCELLED = "57014"
_DENIED = "42501"


@contextmanager
def _telling(
    call: Call, whose: str = "", *, connecting: bool = False, deadline: Deadline | None = None
) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if deadline is not None and deadline.is_over:
            raise no_answer(call, f"no answer within {deadline.seconds:g} s") from None
        raise _error(call, error, whose, connecting=connecting) from None


def _error(call: Call, error: psycopg.Error, whose: str, *, connecting: bool) -> VendorError:
    """What a driver's error means for the call."""
    state = error.sqlstate or ""
    said = quote(call, str(error.diag.message_primary or in_words(error))).rstrip(".")
    at = f" of {whose}" if whose else ""
    if connecting and "unsupported startup parameter" in said:
        return _shares_sessions(call, said)
    if connecting and state.startswith("28"):
        return call.error(
            FailureKind.PERMANENT,
            f'PostgreSQL refused the login to {call.operation}: "{said}". Check the user and the '
            f"password in {SETTING}.",
        )
    if (not state and connecting) or state.startswith(_BUSY):
        sentence = f'PostgreSQL{at} took no request to {call.operation}: "{said}".'
        return call.error(FailureKind.TEMPORARY, sentence)
    if not state or state.startswith(_ENDED) or state == _CANCELLED:
        return no_answer(call, said)
    advice = " Give our role the right, or ask somebody who has it." if state == _DENIED else ""
    return call.error(
        FailureKind.PERMANENT,
        f'PostgreSQL{at} refused the request to {call.operation}: "{said}" ({state}).{advice}',
    )
