"""L4: a table of PostgreSQL or SQLite, which outlives a restart of Redis.

Two tables: `cache_entries` has the entries, `cache_marks` the marks of tags and of deleted keys.
`create` makes both.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.caching.entry import LONGEST_LIFE_S, Entry, pack, unpack
from service.caching.layers import LayerDown, LayerRefused, Reading

TIMEOUT_S = 0.25
"""How long a call may take. A key that is found costs under 1 ms of the database's time."""
MARK_S = LONGEST_LIFE_S + 86_400.0
"""How long a mark is kept: longer than any entry that was written under it."""
SWEEP_ROWS = 1_000
"""Rows that one `sweep` removes, so that no transaction is long."""

_T = TypeVar("_T")


class TableLayer:
    """Entries in a table of the application's database. Safe for threads.

    Each call runs in a thread of its own and is left after `timeout_s`, because a database whose
    host hangs answers nothing and fails nothing. While a call hangs no further one is made.
    """

    name = "table"

    def __init__(self, engine: sa.Engine, *, timeout_s: float = TIMEOUT_S) -> None:
        if engine.dialect.name not in ("postgresql", "sqlite"):
            raise ValueError(f"{engine.dialect.name} is not PostgreSQL or SQLite: no table for it")
        self._engine = engine
        self._timeout_s = timeout_s
        self._hanging: threading.Event | None = None
        self._insert: Any = (
            postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        )

    def create(self) -> None:
        """Make the two tables where they are missing. Needs the right to create tables."""
        _METADATA.create_all(self._engine)

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        """The entry and the marks."""
        return self._ask(lambda connection: self._read(connection, key, names, now))

    def prepare(self, key: str, names: Sequence[str], now: float) -> Reading:
        """Make the marks that are missing, then read."""

        def make(connection: sa.Connection) -> Reading:
            for each in sorted(names):  # In order, or two of them could wait for each other.
                row = {"name": each, "mark": uuid.uuid4().hex, "until": now + MARK_S}
                connection.execute(self._insert(_MARKS).values(row).on_conflict_do_nothing())
            return self._read(connection, key, names, now)

        return self._ask(make)

    def write(
        self, key: str, names: Sequence[str], entry: Entry, marks: tuple[str, ...], now: float
    ) -> None:
        """Keep the entry until it is dead, unless the marks have changed."""
        row = {"key": key, "packed": pack(entry, marks), "dead_at": entry.dead_at}

        def send(connection: sa.Connection) -> None:
            # Only so that a newer entry is not replaced: `_read` compares the marks as well.
            if self._marks(connection, key, names) == marks:
                insert = self._insert(_ENTRIES).values(row)
                connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))

        self._ask(send)

    def delete(self, key: str, now: float) -> None:
        """Remove the entry, and mark its key for loads that have begun already."""
        row = {"name": _deleted(key), "mark": uuid.uuid4().hex, "until": now + MARK_S}

        def send(connection: sa.Connection) -> None:
            insert = self._insert(_MARKS).values(row)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
            connection.execute(sa.delete(_ENTRIES).where(_ENTRIES.c.key == key))

        self._ask(send)

    def invalidate(self, name: str, now: float) -> None:
        """Remove the mark."""
        delete = sa.delete(_MARKS).where(_MARKS.c.name == name)
        self._ask(lambda connection: _done(connection.execute(delete)))

    def sweep(self, now: float) -> int:
        """Remove entries that are dead and marks that are over; how many rows. Call it until 0.

        Raises:
            LayerDown: the database did not answer in time.
            LayerRefused: it refused.
        """

        def remove(connection: sa.Connection) -> int:
            removed = 0
            for column, end in (
                (_ENTRIES.c.key, _ENTRIES.c.dead_at),
                (_MARKS.c.name, _MARKS.c.until),
            ):
                over = sa.select(column).where(end <= now).limit(SWEEP_ROWS)
                delete = sa.delete(column.table).where(column.in_(over), end <= now)
                removed += connection.execute(delete).rowcount
            return removed

        return self._ask(remove)

    def _read(
        self, connection: sa.Connection, key: str, names: Sequence[str], now: float
    ) -> Reading:
        """The marks first: an entry that is newer than they are is absent, never too old."""
        marks = self._marks(connection, key, names)
        packed = connection.scalar(sa.select(_ENTRIES.c.packed).where(_ENTRIES.c.key == key))
        stored = unpack(bytes(packed)) if packed is not None else None
        valid = stored is not None and stored.marks == marks and all(marks[1:])
        entry = stored.entry.at_most(now) if stored is not None and valid else None
        return Reading(entry, marks if all(marks[1:]) else None)

    def _marks(self, connection: sa.Connection, key: str, names: Sequence[str]) -> tuple[str, ...]:
        """The mark of the key, which may be empty, and of each name; empty where there is none."""
        wanted = (_deleted(key), *names)
        select = sa.select(_MARKS.c.name, _MARKS.c.mark).where(_MARKS.c.name.in_(wanted))
        found = {row.name: row.mark for row in connection.execute(select)}
        return tuple(found.get(each, "") for each in wanted)

    def _ask(self, ask: Callable[[sa.Connection], _T]) -> _T:
        """Run `ask` in a transaction, in a thread that is waited for `timeout_s`."""
        if self._hanging is not None and not self._hanging.is_set():
            raise LayerDown("the database has not answered the call before yet")
        call = _Call(self._engine, ask)
        threading.Thread(target=call.make, name="cache-table", daemon=True).start()
        if not call.ended.wait(self._timeout_s):
            self._hanging = call.ended
            raise LayerDown(f"the database has not answered within {self._timeout_s:g} s")
        return call.result()


class _Call(Generic[_T]):
    """One transaction on its way, and what became of it."""

    def __init__(self, engine: sa.Engine, ask: Callable[[sa.Connection], _T]) -> None:
        self._engine = engine
        self._ask = ask
        self._returned: list[_T] = []
        self._raised: BaseException | None = None
        self.ended = threading.Event()

    def make(self) -> None:
        """The thread's function."""
        try:
            with self._engine.begin() as connection:
                self._returned.append(self._ask(connection))
        except BaseException as problem:
            self._raised = problem
        finally:
            self.ended.set()

    def result(self) -> _T:
        """What was returned; what the database raised becomes an error of the layer."""
        problem = self._raised
        if isinstance(
            problem, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError
        ):
            raise LayerDown(f"the database does not answer: {_words(problem)}") from problem
        if isinstance(problem, sa.exc.SQLAlchemyError):
            raise LayerRefused(f"the database answers: {_words(problem)}") from problem
        if problem is not None:
            raise problem
        return self._returned[0]


_METADATA = sa.MetaData()
_ENTRIES = sa.Table(
    "cache_entries",
    _METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("dead_at", sa.Double, nullable=False, index=True),
)
_MARKS = sa.Table(
    "cache_marks",
    _METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False, index=True),
)


def _deleted(key: str) -> str:
    return f"deleted:{key}"


def _words(problem: sa.exc.SQLAlchemyError) -> str:
    """The database's own words: their first line, because further ones may quote values."""
    said = str(getattr(problem, "orig", None) or "").strip()
    return said.splitlines()[0] if said else type(problem).__name__


def _done(_: object) -> None:
    return None
