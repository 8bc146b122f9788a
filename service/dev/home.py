"""RUNBOOKD_HOME: one directory for all data, held by one development service at a time.

A second terminal finds there where that service runs: without it `runbookd replay` beside
`runbookd dev` would know neither the sandbox nor the names of its targets.
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


@contextmanager
def held_home(path: Path) -> Iterator[Path]:
    """The directory, made when missing and locked until the end; absolute.

    The lock is the kernel's, so it can't be left behind by a process that was killed.

    Raises:
        DevRefused: another one holds it, or it can't be written.
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


@contextmanager
def noted(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Leave a note with these variables, until the end; for the holder of the home's lock."""
    note = home / _NOTE
    note.write_text(json.dumps(dict(environment), indent=2), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def running_beside(home: Path) -> dict[str, str]:
    """The variables of the development service that runs in `home`; none when none does."""
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
