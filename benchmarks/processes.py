"""What the processes of a benchmark cost: time and memory, by /proc (Linux only)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.processes import Process, wait_until

START_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchmarkFailed(Exception):  # noqa: N818 - told to the person as it is
    """A part could not be measured; the message says why."""


class MeasuredProcess(Process):
    """A process that tells what it costs."""

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Look until the condition holds.

        Raises:
            BenchmarkFailed: the process ended, or it took too long; with the end of its output.
        """
        over = wait_until(lambda: condition() or self.exit_status is not None, START_S)
        if not over or self.exit_status is not None:
            raise BenchmarkFailed(f"{self.name}: waited in vain for {what}:\n{self.tail(15)}")

    def tree(self) -> list[int]:
        """Its id and those of all its descendants."""
        return list(_descendants(self.pid))

    def cpu_s(self) -> float:
        """Seconds of processor time that it and its descendants have used."""
        return sum(_cpu_s(pid) for pid in self.tree())

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Memory of its largest process: VmRSS now, VmHWM at its peak."""
        return max(_memory_mb(pid, field) for pid in self.tree())


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
