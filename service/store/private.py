"""The files of SQLite are for their owner alone: they hold alerts, and who is paged for what."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE = 0o700, 0o600
_BESIDE = ("", "-wal", "-shm", "-journal")
"""The database, and what SQLite puts beside it."""
_OTHERS = 0o077
_OURS = ("runbookd.db", "dev.", "redis.", "temp-")
"""How the names begin of all that runbookd, and its Redis, keep in a directory."""


def keep_private(database: Path) -> None:
    """Make the database's file and directory where they are missing, and shut others out.

    SQLite gives the files beside the database its own mode. A directory that holds anything else
    is somebody's, and keeps its mode; so does what belongs to another user.

    Raises:
        OSError: the directory or the file cannot be made.
    """
    directory = database.parent
    directory.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    if _is_open(directory) and all(each.name.startswith(_OURS) for each in directory.iterdir()):
        directory.chmod(OWNER_ONLY_DIRECTORY)
    if not database.exists():
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE))
    for ending in _BESIDE:
        path = database.with_name(database.name + ending)
        with suppress(FileNotFoundError):
            if _is_open(path):
                path.chmod(OWNER_ONLY_FILE)


def _is_open(path: Path) -> bool:
    """Whether it is ours, and others may do something with it."""
    found = path.stat()
    return found.st_uid == os.geteuid() and bool(found.st_mode & _OTHERS)
