"""Many rows at once.

On SQLite rows go in one by one, with one prepared statement. PostgreSQL gets its rows as one value,
in JSON: its driver keeps no statement of more than 50 values, and needs longer to read the text of
one than the database to put in the rows (docs/performance.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from pydantic_core import to_json

from service.store.driver import by_driver

LARGEST = 1_024
"""Rows that are handed to the driver at once: about a megabyte."""

_Row = Mapping[str, Any]
_Found = tuple[Any, ...]
_Value = TypeVar("_Value")

LARGEST_LIST = 4_096
"""Values in one IN list; SQLite allows seven times as many."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One change for many rows; a row is a mapping with a value for each of `fields`.

    `one_by_one` is SQLite's text with a place for each of them, `from_json` PostgreSQL's with one
    for all rows. No value is part of either, only names from our own schema.
    """

    one_by_one: str
    from_json: str
    fields: tuple[str, ...]

    def __call__(self, connection: sa.Connection, rows: Iterable[_Row]) -> None:
        """Change them all, in order; each row is made when its turn comes."""
        if connection.dialect.name == "postgresql":
            for part in _pieces(rows, LARGEST):
                _executed(connection, self.from_json, (to_json(part).decode(),))
        else:
            values = map(itemgetter(*self.fields), rows)
            by_driver(connection, lambda driver: driver.executemany(self.one_by_one, values))


def bulk_insert(table: sa.Table) -> Bulk:
    """Inserts rows; the fields are the table's columns."""
    fields = tuple(column.name for column in table.columns)
    names = ", ".join(map(_quoted, fields))
    into = f"INSERT INTO {table.name} ({names})"
    return Bulk(
        one_by_one=f"{into} VALUES {_tuples(len(fields), 1)}",
        from_json=f"{into} SELECT {names} FROM {_recordset(table)}",  # noqa: S608 - see Bulk
        fields=fields,
    )


def bulk_update(table: sa.Table, *, become: Sequence[str], grow: Sequence[str]) -> Bulk:
    """Updates rows by their id: columns that become what the row says, others that grow by it."""
    fields = (*become, *grow, "id")
    names = {each: _quoted(each) for each in fields}

    def text(value: Callable[[str], str], source: str) -> str:
        changes = [f"{names[each]} = {value(each)}" for each in become]
        changes += [f"{names[each]} = {table.name}.{names[each]} + {value(each)}" for each in grow]
        head = f"UPDATE {table.name} SET {', '.join(changes)}"  # noqa: S608 - see Bulk
        return f"{head}{source} WHERE {table.name}.id = {value('id')}"

    return Bulk(
        one_by_one=text(lambda _: "?", ""),
        from_json=text(
            lambda field: f"given.{names[field]}", f" FROM {_recordset(table)} AS given"
        ),
        fields=fields,
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _recordset(table: sa.Table) -> str:
    return f"json_populate_recordset(NULL::{table.name}, %s::json)"


@dataclass(frozen=True, slots=True)
class Pending(Generic[_Value]):
    """Records that change one table, each as the row that `to_row` makes of it."""

    change: Bulk
    records: Collection[_Value]
    to_row: Callable[[_Value], _Row]

    def rows(self) -> Iterator[_Row]:
        """Made one by one: ten thousand rows at once would be as large as what they are of."""
        return map(self.to_row, self.records)


def change_together(
    connection: sa.Connection, pending: Iterable[Pending[Any]], *, commit: bool = False
) -> None:
    """Make changes that don't depend on each other; none to a row that another changes too.

    PostgreSQL does it in one statement, for each one is a round trip; unless there are so many
    rows that it does not matter. With `commit` nothing may follow in the transaction: where there
    is that one statement, COMMIT is sent along, and the commit that SQLAlchemy makes afterwards
    finds nothing to do.
    """
    wanted = [each for each in pending if each.records]
    large = any(len(each.records) > LARGEST for each in wanted)
    if connection.dialect.name != "postgresql" or large:
        for each in wanted:
            each.change(connection, each.rows())
    elif wanted:
        *first, last = (each.change.from_json for each in wanted)
        parts = ", ".join(f"part_{n} AS ({text})" for n, text in enumerate(first))
        text = f"WITH {parts} {last}" if first else last
        values = tuple(to_json(list(each.rows())).decode() for each in wanted)
        _executed(connection, text, values, commit=commit)


def _executed(
    connection: sa.Connection, text: str, values: tuple[str, ...], *, commit: bool = False
) -> None:
    def sent(driver: Any) -> None:
        if not commit:
            driver.execute(text, values)
            return
        with driver.pipeline():
            driver.execute(text, values)
            # The driver's own `commit` would wait for its answer, and the block's end for another.
            driver.execute("COMMIT")

    by_driver(connection, sent)


@dataclass(frozen=True, slots=True)
class Lookup:
    """`head IN (values) tail`, for any number of values; the texts are the caller's."""

    head: str
    values: Collection[Any]
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that returns rows, in the driver's own words; the text is the caller's."""

    text: str
    values: tuple[Any, ...]


def rows_of_each(connection: sa.Connection, *asked: Lookup | Statement) -> list[list[_Found]]:
    """The rows of each, in order; on PostgreSQL all are sent at once, in one round trip."""
    if connection.dialect.name == "postgresql":
        return _pipelined(connection, [_for_postgresql(each) for each in asked])
    return by_driver(connection, lambda driver: [_on_sqlite(driver, each) for each in asked])


def _for_postgresql(asked: Lookup | Statement) -> Statement:
    if isinstance(asked, Statement):
        return asked
    return Statement(f"{asked.head} = ANY(%s) {asked.tail}", (list(asked.values),))


def _on_sqlite(driver: sqlite3.Connection, asked: Lookup | Statement) -> list[_Found]:
    if isinstance(asked, Lookup):
        return _in_lists(driver, asked)
    return driver.execute(asked.text, asked.values).fetchall()


def _in_lists(driver: sqlite3.Connection, lookup: Lookup) -> list[_Found]:
    found: list[_Found] = []
    wanted = list(lookup.values)
    for start in range(0, len(wanted), LARGEST_LIST):
        some = wanted[start : start + LARGEST_LIST]
        # Filled up with one of its own values, so that few texts exist.
        room = 1 << (len(some) - 1).bit_length()
        some += some[-1:] * (room - len(some))
        text = f"{lookup.head} IN {_tuples(room, 1)} {lookup.tail}"
        found += driver.execute(text, some)
    return found


def _pipelined(connection: sa.Connection, statements: Sequence[Statement]) -> list[list[_Found]]:
    """Sent together, the transaction's own BEGIN before them."""

    def sent(driver: Any) -> list[list[_Found]]:
        with driver.pipeline():
            cursors = [driver.execute(each.text, each.values) for each in statements]
        return [cursor.fetchall() for cursor in cursors]

    return by_driver(connection, sent)


def _pieces(values: Iterable[_Value], length: int) -> Iterator[list[_Value]]:
    rest = iter(values)
    while some := list(islice(rest, length)):
        yield some


@lru_cache(maxsize=512)
def _tuples(width: int, count: int) -> str:
    one = f"({', '.join(['?'] * width)})"
    return ", ".join([one] * count)


def chunks(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    """`values` in lists that fit one statement's bound parameters, on both databases."""
    return _pieces(values, LARGEST_LIST)
