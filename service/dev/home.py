"""RUNBOOKD_HOME: one directory for all data, used by one development service at a time.

The service leaves a note there for commands in a second terminal. Without the note, `runbookd
replay` beside `runbookd dev` would know neither the sandbox's address nor the ids of its targets.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.domain.errors import Told
from service.store.private import OWNER_ONLY_DIRECTORY


class DevRefused(Told):
    """The development service cannot start; the message says why and what to do."""


LOCK = "dev.lock"
"""The file in RUNBOOKD_HOME that is locked. It holds the id of the process that has the lock."""


@contextmanager
def held_home(path: Path) -> Iterator[Path]:
    """The directory as an absolute path. It is made when it is missing, and locked until the end.

    The lock is the kernel's (flock), so a process that is killed leaves none behind.

    Raises:
        DevRefused: another service holds the lock, or the directory cannot be written.
    """
    home = path.resolve()
    try:
        home.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        lock = (home / LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise DevRefused(
            f"RUNBOOKD_HOME={path} cannot be used for data ({error.strerror}): {home}"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise DevRefused(
                f"Another `runbookd dev` (process {holder}) uses {home}. End it, or set "
                "RUNBOOKD_HOME, PORT and SANDBOX_PORT to run a second one beside it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield home


_NOTE = "dev.json"
"""The file in RUNBOOKD_HOME with the variables for commands in other terminals."""


@contextmanager
def noted(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a note with these variables in `home` until the end. Only the holder of its lock may."""
    note = home / _NOTE
    note.write_text(json.dumps(dict(environment), indent=2), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def running_beside(home: Path) -> dict[str, str]:
    """The variables in the note of the development service in `home`. Empty when none runs."""
    if not _held(home / LOCK):
        return {}
    try:
        found = json.loads((home / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def _held(lock_file: Path) -> bool:
    try:
        with lock_file.open("r", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
