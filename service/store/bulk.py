"""Many rows in one statement.

A driver that is handed rows one by one lets go of the interpreter's lock for each of them, and
has to queue for it again behind every thread that serves a request: in a storm that costs more
than the rows. So rows go in by statements of up to 128 at a time. Their texts come in powers of
two, so that few of them exist and the drivers keep each prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

LARGEST = 128
"""Rows in one statement; with 18 columns a thirtieth of what either database allows."""

_Row = TypeVar("_Row")

LARGEST_LIST = 4_096
"""Values in one IN list."""


class BulkInsert:
    """Inserts rows of one table; a row is a mapping with a value for each of its columns."""

    def __init__(self, table: sa.Table) -> None:
        columns = [column.name for column in table.columns]
        names = ", ".join(f'"{name}"' for name in columns)
        self._head = f"INSERT INTO {table.name} ({names}) VALUES "
        self._width = len(columns)
        self._values = itemgetter(*columns)

    def __call__(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert them all, in order."""
        for part in parts(rows):
            text = self._head + _tuples(_mark(connection), self._width, len(part))
            connection.exec_driver_sql(text, tuple(chain.from_iterable(map(self._values, part))))


def select_in(
    connection: sa.Connection, head: str, values: Collection[Any], tail: str = ""
) -> Iterator[sa.Row[Any]]:
    """The rows of `head IN (values) tail`, for any number of values; the texts are the caller's."""
    wanted = list(values)
    for start in range(0, len(wanted), LARGEST_LIST):
        some = wanted[start : start + LARGEST_LIST]
        # Filled up with one of its own values, so that few texts exist.
        room = 1 << (len(some) - 1).bit_length()
        some += some[-1:] * (room - len(some))
        text = f"{head} IN {_tuples(_mark(connection), room, 1)} {tail}"
        yield from connection.exec_driver_sql(text, tuple(some))


def parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """The rows in pieces whose lengths are powers of two, the largest first."""
    start = 0
    while rest := len(rows) - start:
        size = min(LARGEST, 1 << (rest.bit_length() - 1))
        yield rows[start : start + size]
        start += size


@lru_cache(maxsize=512)
def _tuples(mark: str, width: int, count: int) -> str:
    one = f"({', '.join([mark] * width)})"
    return ", ".join([one] * count)


def _mark(connection: sa.Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"
