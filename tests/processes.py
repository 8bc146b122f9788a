"""Real processes under test: started with their output in a file, ended by their own id.

The end-to-end, storm and crash tests run what users run. Each process leads a session of its own,
so that a kill takes gunicorn's workers along and nothing outlives the test.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
"""The repository; where processes are started, because the rules are found from there."""

STOP_S = 15.0
"""How long a process may take to end after SIGTERM before it is killed."""

_POLL_S = 0.05
_PORTS = range(20_000, 32_000)
"""Below those that a system gives to whoever asks for any: such a one could come in between."""
_SHARES = 8
"""Of the ports; each process of a parallel run has its own, or two might choose the same."""
_given_ports: set[int] = set()
_T = TypeVar("_T")


def free_port() -> int:
    """A port of the loopback address that nobody has, never the same one twice."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = _PORTS[number % _SHARES :: _SHARES]
    port = next(
        each for each in _shuffled(mine) if each not in _given_ports and not _is_taken(each)
    )
    _given_ports.add(port)
    return port


def _shuffled(ports: Sequence[int]) -> Sequence[int]:
    """In another order each time, so that two runs on one machine hardly ever meet."""
    return random.sample(ports, len(ports))


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Process:
    """A program that is started, stopped, killed or paused; `log` is its output.

    `environment` is the whole of it but for what a program needs to run at all (PATH, HOME).
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = {**inherited(), **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.inherit: tuple[int, ...] = ()
        """File descriptors that it gets beside its output."""
        self.directory = ROOT
        """Where it is started: the checkout whose service it runs."""

    @property
    def pid(self) -> int:
        """Its id, while it is started."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs (or was never started)."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; again after an end, with the output appended."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self.inherit,
            )

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), without waiting."""
        if self._process is not None and self.exit_status is None:
            self._process.terminate()
            self.resume()

    def stop(self) -> None:
        """End it in good order, and by force when that takes too long."""
        self.terminate()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL), with whatever it has started."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """Stop it where it stands (SIGSTOP); returns once it has."""
        self._signal(signal.SIGSTOP)
        assert wait_until(lambda: is_stopped(self.pid), STOP_S), f"{self.name} goes on"

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = 25) -> str:
        """The end of its output, for a failed assertion."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by SIGSTOP."""
    status = Path(f"/proc/{pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"


def wait_until(condition: Callable[[], _T], timeout_s: float) -> _T | None:
    """Try until the condition holds; what it gave, or None when the time was over."""
    until = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > until:
            return None
        time.sleep(_POLL_S)
    return found


def inherited() -> dict[str, str]:
    """What a program needs to run, and no setting of ours from the developer's shell."""
    wanted = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in wanted if name in os.environ}
