"""The SQLite file that a process has open, and whether its path still leads to it.

A file that is deleted or replaced takes writes for as long as it is open, and all of them are gone
with the process. So each write asks the path again: one `stat`, about a microsecond.
"""

from __future__ import annotations

import os

from service.domain.errors import StoreUnavailable


class OpenFile:
    """The file at `path`, as it was when the first connection to it was made."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def opened(self) -> None:
        """A connection has been made: the first one says which file is meant."""
        if self._opened is None:
            self._opened = self._now()

    def require(self) -> None:
        """Return when the path leads to the file that was opened.

        Raises:
            StoreUnavailable: what is written to it would be lost.
        """
        if self._opened is not None and self._now() != self._opened:
            raise StoreUnavailable(
                f"the database file {self._path} was deleted or replaced while this process had it "
                "open. Nothing is kept until the right file is there and the process is restarted"
            )

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - a third of the time of Path.stat
        except OSError:
            return None
        return found.st_dev, found.st_ino
