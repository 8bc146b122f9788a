"""A program that ties itself to its parent, and then runs a command in its own place.

A parent that is killed cannot end its children any more. So this program asks the kernel to send it
a signal when its parent dies (the parent-death signal). Only Linux has that. On other systems, the
children end only if the parent ends in order. The file is run by its path and imports nothing of
ours, so that a child starts without delay.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of prctl(2). It stays in force after exec."""


def main(parent: int, command: list[str]) -> None:
    """Tie this process to `parent` (its id) and run `command` in its place."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            # The parent ended before the signal was set, so it would never come.
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is our own


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
