"""RUNBOOKD_HOME: one directory for all data, held by one development service at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.dev.refusal import DevRefused
from service.store.private import OWNER_ONLY_DIRECTORY

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
