"""Started in the place of a child: has the kernel end it with its parent, then becomes it.

A parent that is killed can't end its children any more, so the kernel is asked to (Linux; other
systems have no such request, and there only an orderly end takes the children along). This file
is run by its path and imports nothing of ours, so that a child starts without delay.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of prctl(2); it outlasts exec."""


def main(parent: int, command: list[str]) -> None:
    """Tie this process to `parent` (its id) and run `command` in its place."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            # The parent ended before the request was made.
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is our own


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
