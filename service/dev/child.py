"""One child process: started on a leash, listened to, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.dev import leash
from service.settings import child_environment

Say = Callable[[str, str], None]
"""Shows one line of a process: its name, and the line."""

_LEASH = str(Path(leash.__file__).resolve())


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start: its command, what it finds in its environment, and how to see it is ready.

    `withheld` are the settings of this process that it must not find there. `foundation` is for
    what the others stand on: it ends after them.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    withheld: Collection[str] = ()
    foundation: bool = False
    loses: str = ""
    """What is lost when it dies, for the line that says so."""


class Child:
    """A process that has been started; in a session of its own, so that a terminal's Ctrl-C
    reaches only the supervisor, which ends everything in order."""

    def __init__(self, spec: ChildSpec, say: Say) -> None:
        self.spec = spec
        self.started_at = time.monotonic()
        self._say = say
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-ES", _LEASH, str(os.getpid()), *spec.command],
            env=child_environment(spec.environment, spec.withheld),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = threading.Thread(target=self._listen, name=f"out-{spec.name}", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status once it has ended (negative: the signal's number), None before."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """SIGTERM, which every part of ours takes as: finish what is under way, then end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def finish(self, timeout_s: float) -> bool:
        """Wait for its end, then end what is left of its group; False when it had to be killed."""
        try:
            self._process.wait(timeout_s)
            in_order = True
        except subprocess.TimeoutExpired:
            in_order = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._pump.join(timeout=1)
        return in_order

    def _listen(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                self._say(self.spec.name, line.decode("utf-8", "replace").rstrip())
