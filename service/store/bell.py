"""How a worker learns at once that something waits for it.

On PostgreSQL it is a notification, sent within the transaction that queues the work. On SQLite it
is a datagram after the commit, to a socket of each worker in a directory beside the database. Both
are hints: the queue is the record, and a worker looks at it every WORKER_POLL_S seconds anyway.

Behind a pooler in transaction mode a worker that listens is told nothing, and no error says so. Its
doctor tries that out at each start (`notifications_reach`).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
import structlog

from service.domain.errors import StoreUnavailable
from service.ports.runs import Bell
from service.store.database import translated

_log = structlog.get_logger(__name__)

_CHANNEL = "runbookd_work"
_NOTIFY = f"SELECT pg_notify('{_CHANNEL}', '')"
_TRIAL_CHANNEL = "runbookd_trial"
_TRIAL = sa.text(f"SELECT pg_notify('{_TRIAL_CHANNEL}', :token)")
_SUFFIX = ".sock"
_LISTEN_S = 1.0
"""How long a listening thread waits before it looks whether it is to end."""
_AGAIN_S = 3.0
"""Between two attempts to listen on PostgreSQL; until then the worker looks by itself."""
_OVER = b"over"


def bell_of(engine: sa.Engine) -> Bell:
    """The bell of whoever queues work in this database."""
    directory = _directory(engine)
    return NotifyBell(engine) if directory is None else SocketBell(directory)


def listen(engine: sa.Engine, wake: Callable[[], None]) -> Callable[[], None]:
    """Call `wake` whenever work may have been queued; the function returned ends that."""
    directory = _directory(engine)
    ear = _NotifyEar(engine, wake) if directory is None else _SocketEar(directory, wake)
    ear.start()
    return ear.stop


def notifications_reach(engine: sa.Engine, within_s: float) -> bool:
    """Whether one connection to this PostgreSQL hears what another one sends; it is tried.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    # Made for this trial: nobody else's, and no late notification, is taken for it.
    token = secrets.token_hex(8)
    try:
        with translated(), _listening(engine, _TRIAL_CHANNEL) as listener:
            with engine.begin() as connection:
                connection.execute(_TRIAL, {"token": token})
            until = time.monotonic() + within_s
            while (left_s := until - time.monotonic()) > 0:
                # To its end: left half-way, it holds the connection, which then never closes.
                heard = list(listener.notifies(timeout=left_s, stop_after=1))
                if token in (one.payload for one in heard):
                    return True
    except psycopg.Error as error:
        raise StoreUnavailable(f"the database cannot be listened to ({error})") from error
    return False


@contextmanager
def _listening(engine: sa.Engine, channel: str) -> Iterator[Any]:
    """The driver's connection, which listens. It goes back to no pool: it would listen on there."""
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        connection.detach()
        driver.rollback()
        driver.autocommit = True
        driver.execute(f"LISTEN {channel}")
        yield driver


def _directory(engine: sa.Engine) -> Path | None:
    """Where the sockets of workers on SQLite are; None on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(f"{engine.url.database}-workers")


class NotifyBell:
    """The bell on PostgreSQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def within(self, connection: sa.Connection) -> None:
        """PostgreSQL sends it when the transaction commits, once however often it is asked."""
        connection.exec_driver_sql(_NOTIFY)

    def committed(self) -> None:
        """Nothing is left to be done."""

    def ring(self) -> None:
        """In a transaction of its own."""
        with suppress(sa.exc.SQLAlchemyError), self._engine.begin() as connection:
            connection.exec_driver_sql(_NOTIFY)


class SocketBell:
    """The bell on SQLite; it never waits, and never fails whoever rings it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def within(self, connection: sa.Connection) -> None:
        """Nothing: before the commit a worker would find nothing."""

    def committed(self) -> None:
        """Tell every worker that has a socket; remove those of workers that are gone."""
        with suppress(OSError), _Place(self._directory) as place:
            for path in self._directory.iterdir():
                if path.suffix == _SUFFIX:
                    self._tell(place, path)

    def ring(self) -> None:
        """Tell workers of work that was queued in a transaction of its own."""
        self.committed()

    def _tell(self, place: _Place, path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(b"", place.address(path.name))
            except ConnectionRefusedError:
                with suppress(OSError):
                    path.unlink()
            except OSError:
                pass  # its buffer is full: it has been told


class _Place:
    """A directory of sockets, held open: an address through it is short enough for a socket."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> _Place:
        self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def address(self, name: str) -> str:
        return f"/proc/self/fd/{self._descriptor}/{name}"


class _SocketEar:
    """A worker's socket, and the thread that waits at it."""

    def __init__(self, directory: Path, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._path = directory / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def start(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            with _Place(self._path.parent) as place:
                self._socket.bind(place.address(self._path.name))
        except OSError as error:
            _log.warning("bell_not_heard", error=str(error), consequence="the queue is polled")
            return
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            with _Place(self._path.parent) as place, suppress(OSError):
                self._socket.sendto(_OVER, place.address(self._path.name))
            self._thread.join(_LISTEN_S)
        self._path.unlink(missing_ok=True)
        self._socket.close()

    def _run(self) -> None:
        while self._socket.recv(len(_OVER)) != _OVER:
            self._wake()


class _NotifyEar:
    """A connection that listens, and the thread that waits at it."""

    def __init__(self, engine: sa.Engine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(2 * _LISTEN_S)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._listen()
            except (sa.exc.SQLAlchemyError, psycopg.Error) as error:
                _log.warning("bell_not_heard", error=str(error), consequence="the queue is polled")
                self._over.wait(_AGAIN_S)

    def _listen(self) -> None:
        with _listening(self._engine, _CHANNEL) as driver:
            self._wake()  # for what was queued while nobody listened
            while not self._over.is_set():
                for _ in driver.notifies(timeout=_LISTEN_S, stop_after=1):
                    self._wake()
