"""The application's own PostgreSQL: what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`, and nothing of a driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Server:
    """The server, and what runbookd's role may do there.

    `version` is as `server_version_num` has it, such as 180006. `may_signal` is whether the role
    may end the sessions of every role but a superuser's, `sees_all` whether it may see what they
    run. `replica` is True on a standby, which takes no writes.
    """

    database: str
    version: int
    role: str
    superuser: bool
    may_signal: bool
    sees_all: bool
    replica: bool


@dataclass(frozen=True, slots=True)
class LoginRole:
    """A role that may log in; `ours` is whether runbookd's role has its rights."""

    name: str
    superuser: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the database at one moment.

    `began` is when it connected. `since` is when its query began, or, where it is idle in a
    transaction, when the transaction began. Both are the server's own text, to the microsecond, and
    name the very same work again. `age_s` is how long ago `since` was. `text` is the query, as far
    as the server keeps it, and `digest` the first 8 digits of its md5. `maintains` is whether the
    server lists it as a VACUUM, an index build, a COPY or the like. `kind` is the server's
    `backend_type`.
    """

    pid: int
    kind: str
    role: str
    application: str
    state: str
    began: str
    since: str
    age_s: float
    text: str
    digest: str
    maintains: bool


@dataclass(frozen=True, slots=True)
class Work:
    """What one session does: the same pid with another query is other work."""

    pid: int
    began: str
    since: str
    idle: bool


@dataclass(frozen=True, slots=True)
class Activity:
    """The server, its roles, and the sessions of the database that are busy or in a transaction."""

    server: Server
    roles: Sequence[LoginRole]
    sessions: Sequence[Session]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a column; `op` is PostgreSQL's, or `is null` or `is not null`."""

    column: str
    op: str
    value: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalog has it. `rows` and `bytes` are PostgreSQL's own estimates.

    `kind` is its letter (`relkind`): r for an ordinary table. `ours` is whether runbookd's role has
    the rights of its owner. `vacuumed` is when it was last vacuumed by hand, empty where never, and
    `vacuuming` whether it is being vacuumed now.
    """

    schema: str
    name: str
    kind: str
    ours: bool
    owner: str
    columns: Sequence[str]
    rows: int
    bytes: int
    vacuumed: str
    vacuuming: bool


@dataclass(frozen=True, slots=True)
class NoTable:
    """There is no such table; `close` are tables with a name like it."""

    close: Sequence[str]


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index as it is wanted, on a table that is there."""

    schema: str
    table: str
    name: str
    columns: Sequence[str]
    where: Sequence[Condition]
    unique: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index as the catalog has it. `number` is its oid, which a rebuild changes.

    `builder` is the pid of the session that builds it now, None where nobody does. `excludes` is
    whether it stands behind an exclusion constraint: PostgreSQL rebuilds none of these beside
    writers.
    """

    name: str
    number: int
    valid: bool
    definition: str
    builder: int | None = None
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class IndexState:
    """What is there of a wanted index. `found` has its name, whatever it is; `same` is whether its
    definition is the wanted one, as the server writes both. `twin` is the name of another valid
    index with that definition, empty where there is none."""

    found: Index | None
    same: bool
    twin: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the server is with an index (`pg_stat_progress_create_index`).

    `pid` is the session that builds it. `phase` is empty where it is another role's, and ours may
    not see how far it is. `waits_for` is the pid of the session whose transaction it waits for.
    """

    pid: int
    phase: str
    blocks_done: int
    blocks: int
    waits_for: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time, up to `upper` and without it. Both are UTC, as `2026-11-28 00:00:00`, so
    that they compare as texts; empty for one that has no bound there."""

    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as the catalog has it. `rows` and `bytes` are PostgreSQL's own estimates.

    `span` is None where its bounds are no times. `pending` is whether it is being detached, or was
    when somebody stopped in the middle.
    """

    schema: str
    name: str
    span: Span | None
    pending: bool
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Partitions:
    """How a table is partitioned, and by what.

    `strategy` is PostgreSQL's letter, r for ranges, and empty for a table that is not partitioned.
    `columns` are those of its key, with an empty name for an expression; `type` is that of the
    first. `default` takes all rows that no other one does. `excluded` are the constraints on it
    that runbookd has made, by name, with whether they are proven. `taken` are the names in its
    schema that begin as the partitions' do. `owner_may` is whether the table's owner may make
    tables there and our role may act as the owner. `today` is the server's day in UTC.
    """

    strategy: str
    columns: Sequence[str]
    type: str
    partitions: Sequence[Partition]
    default: Partition | None
    excluded: Mapping[str, bool]
    taken: Sequence[str]
    owner_may: bool
    today: str


@dataclass(frozen=True, slots=True)
class WantedPartition:
    """A partition as it is wanted, of a table that is partitioned by ranges of one column.

    `owner` is the table's. `default` is the name of its default partition in `default_schema`, and
    empty where there is none. `type` is that of the column, as PostgreSQL writes it.
    """

    schema: str
    table: str
    owner: str
    column: str
    type: str
    name: str
    span: Span
    default_schema: str
    default: str

    @property
    def exclusion(self) -> str:
        """The name of the constraint that shows that the default partition has no row of it."""
        return exclusion_name(self.span)


EXCLUDES = "runbookd_excludes_"


def exclusion_name(span: Span) -> str:
    """The name of the constraint for a range, such as `runbookd_excludes_20260101_20270101`."""
    lower, upper = (each[:10].replace("-", "") for each in (span.lower, span.upper))
    return f"{EXCLUDES}{lower}_{upper}"


@dataclass(frozen=True, slots=True)
class FlagPlace:
    """Where feature flags are: rows whose column `key` has a name, and `value` is the flag."""

    table: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Flags:
    """Feature flags as they are in their table.

    `table` is schema and name, `columns` those of the table. `type` is that of the column with the
    value, empty where there is none. `may` is whether our role may read and set them. `rows` is how
    many rows each name has, and `values` the value of the first, where they could be read.
    """

    table: str
    columns: Sequence[str]
    type: str
    may: bool
    rows: Mapping[str, int]
    values: Mapping[str, bool | None]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the server.

    `now` is what our session works by, as the server shows it. `set` is what ALTER SYSTEM has made
    of it, empty where nothing. `in_force` is whether the server works by its files, or waits for a
    restart only (`pending`). `context` and `source` are PostgreSQL's words (`pg_settings`). `least`
    and `most` are its bounds, in bytes where it is a size. `may` is whether our role may set it.
    """

    now: str
    set: str
    in_force: bool
    pending: bool
    context: str
    source: str
    least: int
    most: int
    may: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings by name, and what our role may do about them: have the server read its files, and
    look into them. `replicas` are the names of those that are attached."""

    by_name: Mapping[str, Setting]
    may_reload: bool
    may_look: bool
    replicas: Sequence[str]


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What moving old rows needs to know.

    `database_bytes` is how large the whole database is. `type` is that of the column of the age,
    `indexed` whether a valid index begins with it. `cutoff` is the age as a moment, in the server's
    own text. `due` is whether any row is older. `columns` are the table's, with their types, and
    `into` those of the archive, None where there is none. `children` are tables whose rows a delete
    would delete or change too, `triggers` the triggers and rules of the table that a delete fires.
    `exposed` is whether the table has row security and its archive has none. `lag_unseen` is
    whether there is a replica and our role must not see how far it is behind.
    """

    database_bytes: int
    type: str
    indexed: bool
    cutoff: str
    due: bool
    columns: Mapping[str, str]
    into: Mapping[str, str] | None
    children: Sequence[str]
    triggers: Sequence[str] = ()
    exposed: bool = False
    lag_unseen: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to move: at most `rows` of those whose `column` is before `cutoff`, the oldest first."""

    schema: str
    table: str
    into: str
    columns: Sequence[str]
    column: str
    type: str
    cutoff: str
    rows: int


@dataclass(frozen=True, slots=True)
class OldRows:
    """Rows that are about to be archived outside: where each is (`ctid`), and its line in
    PostgreSQL's own text form of COPY, without the end of the line."""

    places: Sequence[str]
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Filed:
    """One file of archived rows, as the list of them has it: `sha256` is of the lines before they
    are compressed, `size` of the file in bytes."""

    key: str
    rows: int
    sha256: str
    size: int


class Running(Protocol):
    """A statement that goes on for long, on a connection of its own."""

    def done(self) -> bool:
        """Whether it has ended. Raises VendorError where it has failed."""
        ...

    def was_sent(self) -> bool:
        """Whether the server may have been given it. False where no connection was made."""
        ...


class AppDatabase(Protocol):
    """One database of the application (docs/kinds/app_database.md)."""

    def server(self) -> Server:
        """The server, and what our role may do there."""
        ...

    def table(self, name: str) -> Table | NoTable:
        """A table by its name, or by schema and name with a dot between them."""
        ...

    def index(self, wanted: WantedIndex) -> IndexState:
        """What is there of an index."""
        ...

    def build(self, wanted: WantedIndex) -> Running:
        """Build an index while the table is read and written."""
        ...

    def drop_index(self, schema: str, name: str) -> Running:
        """Drop an index while its table is read and written."""
        ...

    def indexes(self, schema: str, table: str) -> Sequence[Index]:
        """All indexes of a table, valid or not."""
        ...

    def rebuild(self, schema: str, name: str) -> Running:
        """Rebuild an index while its table is read and written."""
        ...

    def vacuum(self, schema: str, table: str, *, analyze: bool) -> Running:
        """Vacuum a table while it is read and written."""
        ...

    def explain(self, schema: str, table: str, where: Sequence[Condition]) -> Mapping[str, Any]:
        """The plan of a query of one table, as PostgreSQL tells it; it is not executed."""
        ...

    def progress(self, schema: str, table: str) -> Progress | None:
        """How far the server is with an index of this table; None where it builds none."""
        ...

    def partitions(self, schema: str, table: str) -> Partitions:
        """How a table is partitioned."""
        ...

    def rows_within(self, wanted: WantedPartition) -> int | None:
        """How many rows of the default partition belong into this one; None where counting them
        took too long."""
        ...

    def exclude(self, wanted: WantedPartition) -> None:
        """Have the default partition take no new row of this one. What it has is not read."""
        ...

    def prove_excluded(self, wanted: WantedPartition) -> Running:
        """Read the default partition beside its readers and writers, and find that it has no such
        row."""
        ...

    def include_again(self, wanted: WantedPartition) -> None:
        """Have the default partition take such rows again."""
        ...

    def add_partition(self, wanted: WantedPartition) -> None:
        """Make the partition and attach it, in one transaction. It ends what `exclude` began."""
        ...

    def detach(self, schema: str, table: str, partition: Partition) -> Running:
        """Detach a partition beside readers and writers, or finish what was begun of that. It is
        a table of its own afterwards, with all its rows."""
        ...

    def blockers(self) -> Sequence[int]:
        """The pids of the sessions that runbookd's own sessions wait for."""
        ...

    def archive_state(
        self, schema: str, table: str, column: str, into: str, older_s: float
    ) -> ArchiveState:
        """What moving rows of this table needs to know; `older_s` is their age in seconds."""
        ...

    def make_archive(self, schema: str, table: str, into: str) -> bool:
        """Make the archive with the columns of the table, unless it is there; whether it was
        made."""
        ...

    def archive_batch(self, batch: Batch) -> int:
        """Move rows in one transaction; how many. Those that somebody has locked are left out."""
        ...

    def make_list(self, schema: str, into: str) -> bool:
        """Make the list of the files, unless it is there; whether it was made."""
        ...

    def old_rows(self, batch: Batch) -> OldRows:
        """The rows of a batch, as they are now. Those that somebody has locked are left out."""
        ...

    def delete_filed(self, batch: Batch, rows: OldRows, filed: Filed) -> bool:
        """Delete exactly these rows and put their file on the list, in one transaction. False, and
        neither is done, where a row is not any more as it was read."""
        ...

    def is_due(self, batch: Batch) -> bool:
        """Whether a row is left that is to move."""
        ...

    def replica_lag_s(self) -> float | None:
        """How far the last of the replicas is behind, in seconds; 0 where there is none, None where
        there is one and our role must not see how far."""
        ...

    def flags(self, place: FlagPlace, names: Sequence[str]) -> Flags | NoTable:
        """These feature flags as they are."""
        ...

    def set_flags(self, place: FlagPlace, was: Mapping[str, bool], to: Mapping[str, bool]) -> bool:
        """Set all of these flags in one transaction; nothing, and False, where one of them is not
        what it was."""
        ...

    def settings(self, names: Sequence[str]) -> Settings:
        """Settings of the server as they are."""
        ...

    def alter_system(self, name: str, value: str | None) -> None:
        """Write one setting to the server's own file; None takes it out of there. The server works
        by it after `reload`, or after its next start."""
        ...

    def reload(self) -> None:
        """Have the server read its files; sessions go on."""
        ...

    def activity(self) -> Activity:
        """What goes on in the database now; runbookd's own session is left out."""
        ...

    def going_on(self, works: Sequence[Work]) -> Sequence[Work]:
        """Those of them that still go on: the same session, with the same query or transaction."""
        ...

    def cancel(self, works: Sequence[Work]) -> Sequence[int]:
        """Cancel the query of each that still goes on; the pids that were told to."""
        ...

    def terminate(self, works: Sequence[Work]) -> Sequence[int]:
        """End the session of each that still goes on; the pids that were told to."""
        ...
