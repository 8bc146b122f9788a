"""What a second terminal should know: where the development service of the same home runs.

Without it `runbookd replay` beside `runbookd dev` would know neither the sandbox nor the names of
its targets. A note whose writer is gone is never read: the lock on the home tells.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.dev.home import LOCK

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
