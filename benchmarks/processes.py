"""Processes that the benchmark starts, measures and ends by their own id (Linux only: /proc)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The repository: where processes start, because the rules are found from there."""

STOP_S = 20.0
START_S = 60.0
_given: set[int] = set()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchmarkFailed(Exception):  # noqa: N818 - told to the person as it is
    """A part could not be measured; the message says why."""


class Process:
    """A program with its output in `log`; its children end with it.

    `environment` is put on top of what a program needs to run at all, and of nothing else.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to its session when that takes too long."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Look until the condition holds.

        Raises:
            BenchmarkFailed: the process ended, or it took too long; with the end of its output.
        """
        until = time.monotonic() + START_S
        while not condition():
            if self._process.poll() is not None or time.monotonic() > until:
                end = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])
                raise BenchmarkFailed(f"{self.name}: waited in vain for {what}:\n{end}")
            time.sleep(0.05)

    def tree(self) -> list[int]:
        """Its id and those of all its descendants."""
        return list(_descendants(self.pid))

    def cpu_s(self) -> float:
        """Seconds of processor time that it and its descendants have used."""
        return sum(_cpu_s(pid) for pid in self.tree())

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Memory of its largest process: VmRSS now, VmHWM at its peak."""
        return max(_memory_mb(pid, field) for pid in self.tree())


def free_port() -> int:
    """A port of the loopback address that nobody has now; never the same one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _descendants(int(child))


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _memory_mb(pid: int, field: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), 0.0)
