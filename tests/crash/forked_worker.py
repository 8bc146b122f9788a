"""Worker processes of many threads at once.

multiprocessing keeps its processes in one place: each start looks at the ends of all others, and
when two threads look at the same end, one of them gets 255 for the exit code. So only one looks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.crash.worker_process import Failpoint, work
from tests.processes import wait_until

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.crash.worker_process"])
"""Each worker is a process of its own; only the imports, a second of them, are made once."""

_one_at_a_time = threading.Lock()


class ForkedWorker:
    """A worker in a process of its own; its output is added to `log`."""

    def __init__(self, environment: Mapping[str, str], failpoint: Failpoint, log: Path) -> None:
        self.failpoint = failpoint
        self._process = _processes.Process(
            target=work, args=(environment, failpoint, log), daemon=True
        )
        with _one_at_a_time:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def exitcode(self) -> int | None:
        """None while it runs; minus the number of the signal that killed it."""
        with _one_at_a_time:
            return self._process.exitcode

    def is_alive(self) -> bool:
        """Whether it has not ended; a stopped one has not."""
        return self.exitcode is None

    def join(self, timeout_s: float) -> None:
        """Wait for its end, for so long at most."""
        wait_until(lambda: not self.is_alive(), timeout_s)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)
