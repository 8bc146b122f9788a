"""A pooler in front of a PostgreSQL of the tests: Debian's PgBouncer, in either of its modes."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.processes import Process, free_port, wait_until
from tests.programs import require

SESSION, TRANSACTION = "session", "transaction"
START_S = 30.0

_CONFIGURATION = """
[databases]
{name} = host={host} port=5432 dbname={name} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
ignore_startup_parameters = {ignored}
"""


@contextmanager
def pooler(
    database_url: str, mode: str, home: Path, ignored: str = "extra_float_digits, options"
) -> Iterator[str]:
    """The address of this database behind a PgBouncer. Of the parameters that a client may send
    at its start, it passes over those that are `ignored`, and refuses the others."""
    url, port = sa.make_url(database_url), free_port()
    text = _CONFIGURATION.format(
        name=url.database,
        host=url.query["host"],
        user=url.username,
        port=port,
        mode=mode,
        ignored=ignored,
    )
    with _started(text, url, port, home) as address:
        yield address


@contextmanager
def pooler_of(text: str, database_url: str, home: Path) -> Iterator[str]:
    """The address of this database behind a PgBouncer with this file. Changed are only where it
    listens, where the server is, and that nobody is asked for a password."""
    url, port = sa.make_url(database_url), free_port()
    changes = {
        "host=127.0.0.1": f"host={url.query['host']} user={url.username}",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "auth_type = scram-sha-256": "auth_type = any",
        "auth_file = /etc/pgbouncer/userlist.txt": "",
    }
    for was, becomes in changes.items():
        assert text.count(was) == 1, f"the file has not one {was!r}"
        text = text.replace(was, becomes)
    with _started(text, url, port, home) as address:
        yield address


@contextmanager
def _started(text: str, url: sa.URL, port: int, home: Path) -> Iterator[str]:
    program = require("pgbouncer", "pgbouncer")
    configuration = home / f"pgbouncer-{port}.ini"
    configuration.write_text(text)
    command = [program, str(configuration)]
    if os.getuid() == 0:
        # It refuses to run as root, and the server's socket is its owner's alone.
        owner = Path(str(url.query["host"])).stat().st_uid
        command[1:1] = ["-u", pwd.getpwuid(owner).pw_name]
    process = Process("pgbouncer", command, home / f"pgbouncer-{port}.log", {})
    process.start()
    try:
        assert wait_until(lambda: _answers(port), START_S), process.tail()
        yield f"postgresql://{url.username}:not-asked-for@127.0.0.1:{port}/{url.database}"
    finally:
        process.stop()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
