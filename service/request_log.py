"""A library for the application: a row in `runbook.api_requests` for each request that it answers.

It stands alone: it imports nothing else of runbookd, and runbookd does not use it. `add` only puts
a row into memory, so no request waits for the database and none fails because of it. A thread
writes what waits, once a second, by one COPY. What cannot be written is counted as lost: this is
for dashboards, and not for accounts (docs/views.md).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

EVERY_S = 1.0
"""Seconds between two writes."""
MOST_WAITING = 50_000
"""Rows that wait at most: 50 s of the runbook's 1,000 requests a second, about 10 MB."""
TEND_S = 3_600.0
"""Seconds between two calls of the function that makes and drops partitions."""
ANSWER_S = 10
"""Seconds that a statement may take."""
LONGEST_ROUTE = 200
"""Characters of a route; the rest is cut off."""
_HIGHEST_STATUS = 999

_COPY = "COPY runbook.api_requests (created_at, route, status, ms) FROM STDIN"
_TEND = "SELECT runbook.tend_api_requests()"

_log = logging.getLogger(__name__)
Row = tuple[datetime, str, int, float]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows so far. A batch whose answer was lost counts as `lost`, although the
    database may have it: it is not sent again, for then it could be there twice."""

    written: int
    lost: int
    waiting: int


class RequestLog:
    """Keeps rows and writes them. Safe for threads.

    `connect` opens a connection to the application's database, as a member of `runbook_writer`.
    The thread begins with the first row, so make it before or after a fork. `clock` gives seconds
    since the epoch.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        every_s: float = EVERY_S,
        most_waiting: int = MOST_WAITING,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connect = connect
        self._every_s = every_s
        self._most = most_waiting
        self._clock = clock
        self._waiting: deque[Row] = deque()
        self._written = self._lost = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._tend_at = 0.0

    def add(self, route: str, status: int, ms: float) -> None:
        """Keep a request that was answered now. `route` is its pattern, such as `/quiz/<id>`, and
        never the address with its numbers and secrets. `ms` is how long it took.

        It never waits and never raises. A row that makes no sense, or finds no room, is lost.
        """
        row = self._row(route, status, ms)
        with self._lock:
            if row is None or len(self._waiting) >= self._most or self._ends.is_set():
                self._lost += 1
                return
            self._waiting.append(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
                self._thread.start()

    def flush(self) -> int:
        """Write what waits now. The number of rows that were written.

        While the database cannot be reached, rows go on waiting.
        """
        with self._writing:
            try:
                connection = self._opened()
            except psycopg.Error as problem:
                _log.warning("requests wait: the database cannot be reached (%s)", _kind(problem))
                return 0
            self._tend(connection)
            return self._write(connection, self._taken())

    def close(self, timeout_s: float = 5.0) -> Counts:
        """Write what waits, and end. What is not written by then is lost."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._lock:
            self._lost += len(self._waiting)
            self._waiting.clear()
        return self.counts

    @property
    def counts(self) -> Counts:
        """What became of the rows so far."""
        with self._lock:
            return Counts(self._written, self._lost, len(self._waiting))

    def _row(self, route: str, status: int, ms: float) -> Row | None:
        try:
            code, took = int(status), float(ms)
        except (TypeError, ValueError, OverflowError):
            return None
        if not (0 <= code <= _HIGHEST_STATUS and math.isfinite(took) and took >= 0):
            return None
        named = str(route)[:LONGEST_ROUTE].replace("\0", "").encode(errors="replace").decode()
        return datetime.fromtimestamp(self._clock(), UTC), named, code, took

    def _run(self) -> None:
        while not self._ends.wait(self._every_s):
            self.flush()
        self.flush()
        with self._writing:
            self._left()

    def _opened(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            connection = self._connect()
            try:
                if not connection.autocommit:
                    connection.autocommit = True
                connection.execute(f"SET statement_timeout = '{ANSWER_S}s'")
            except psycopg.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _taken(self) -> list[Row]:
        with self._lock:
            rows = list(self._waiting)
            self._waiting.clear()
        return rows

    def _write(self, connection: psycopg.Connection[Any], rows: list[Row]) -> int:
        if not rows:
            return 0
        try:
            try:
                _copy(connection, rows)
            except psycopg.errors.CheckViolation:
                # There is no partition for today, and the server has taken none of it.
                self._tend(connection, now=True)
                _copy(connection, rows)
        except psycopg.Error as problem:
            _log.warning("%d requests are lost: %s", len(rows), _kind(problem))
            self._left()
            with self._lock:
                self._lost += len(rows)
            return 0
        with self._lock:
            self._written += len(rows)
        return len(rows)

    def _tend(self, connection: psycopg.Connection[Any], *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and self._tend_at and moment < self._tend_at:
            return
        self._tend_at = moment + TEND_S
        try:
            connection.execute(_TEND)
        except psycopg.Error as problem:
            _log.warning("the partitions of requests were not tended: %s", _kind(problem))

    def _left(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _copy(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def _kind(problem: psycopg.Error) -> str:
    """What went wrong, without the row that the server quotes."""
    return problem.diag.message_primary or type(problem).__name__
