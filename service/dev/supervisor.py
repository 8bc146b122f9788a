"""Starts the child processes together, restarts those that die, and ends all of them in order.

Each child is tied to this process by a parent-death signal (`parent_death`), so none outlives it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.dev import parent_death
from service.dev.home import DevRefused
from service.settings import child_environment

Say = Callable[[str, str], None]
"""Shows one line of a process. The arguments are its name and the line."""

_PARENT_DEATH = str(Path(parent_death.__file__).resolve())


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a child: its command, its environment, and how to see that it is ready.

    `withheld` names the variables of this process that the child must not get. A `foundation` is
    needed by the other children, so it ends after them.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    withheld: Collection[str] = ()
    foundation: bool = False
    loses: str = ""
    """The sentence that says what is lost when it dies."""


class Child:
    """A process that has been started.

    It has a session of its own, so that a terminal's Ctrl-C reaches only the supervisor, which ends
    everything in order.
    """

    def __init__(self, spec: ChildSpec, say: Say) -> None:
        self.spec = spec
        self.started_at = time.monotonic()
        self._say = say
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-ES", _PARENT_DEATH, str(os.getpid()), *spec.command],
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
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status (negative: the signal's number). None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, at which each of our processes finishes what is under way and ends."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def finish(self, timeout_s: float) -> bool:
        """Wait until it has ended, and kill what is left of its group. False if it had to be
        killed."""
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


NAME = "dev"
"""The name before the supervisor's own lines."""

START_WAIT_S = 90.0
"""Seconds until all children must be ready. A slow machine needs some ten. A child that hangs must
be reported."""
STOP_WAIT_S = 10.0
"""Seconds for requests and runs that are under way. More than the 5 s that a stopping worker gives
its runs."""
FOUNDATION_WAIT_S = 3.0
"""Seconds for Redis to write its file, and for the sandbox to close."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
"""Seconds before a restart, after the first death and at most."""
STEADY_S = 60.0
"""A child that has run for this many seconds is steady: its earlier deaths no longer count."""
_POLL_S = 0.1


def pause_before_restart(deaths: int) -> float:
    """Seconds to wait after the nth death in a row: doubled each time, at most
    `LONGEST_PAUSE_S`."""
    pause: float = FIRST_PAUSE_S * 2 ** (deaths - 1)
    return min(pause, LONGEST_PAUSE_S)


def exit_words(status: int) -> str:
    """An exit status as a person reads it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


class Supervisor:
    """The children of one development service.

    Use it from the main thread only: the kernel sends the parent-death signal when the thread that
    started a child ends.
    """

    def __init__(self, specs: Sequence[ChildSpec], say: Say) -> None:
        self._specs = tuple(specs)
        self._say = say
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._signals = 0

    @property
    def stopping(self) -> bool:
        """Whether a signal asked for a shutdown."""
        return self._signals > 0

    def listen_to_signals(self) -> None:
        """Shut down at SIGINT, SIGTERM or a closed terminal; a second signal ends the waiting."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def pids(self) -> dict[str, int]:
        """The children's process ids, by name."""
        return {name: child.pid for name, child in self._children.items()}

    def start(self) -> None:
        """Start all children, and wait until each is ready or a signal asks for a shutdown.

        Raises:
            DevRefused: one of them ended, or was not ready in time.
        """
        for spec in self._specs:
            self._say(NAME, f"starting {spec.name} …")
            self._children[spec.name] = Child(spec, self._say)
        waiting = list(self._specs)
        deadline = time.monotonic() + START_WAIT_S
        while waiting and not self.stopping:
            self._refuse_dead()
            waiting = [spec for spec in waiting if not self._told_ready(spec)]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(spec.name for spec in waiting)
                raise DevRefused(
                    f"Not ready after {START_WAIT_S:.0f} s: {names}. What it wrote is above."
                )
            if waiting:
                time.sleep(_POLL_S)

    def watch(self) -> None:
        """Restart children that die, until a signal asks for a shutdown."""
        while not self.stopping:
            for spec in self._specs:
                self._look_after(spec)
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End all children, and the foundations last."""
        self._stop_some([spec for spec in self._specs if not spec.foundation], STOP_WAIT_S)
        self._stop_some([spec for spec in self._specs if spec.foundation], FOUNDATION_WAIT_S)

    def _told_ready(self, spec: ChildSpec) -> bool:
        if not spec.ready():
            return False
        self._say(NAME, f"{spec.name} is ready")
        return True

    def _on_signal(self, *_: object) -> None:
        self._signals += 1

    def _refuse_dead(self) -> None:
        for name, child in self._children.items():
            status = child.ended()
            if status is not None:
                child.finish(0)
                raise DevRefused(
                    f"{name} ended while starting ({exit_words(status)}); what it wrote is above."
                )

    def _look_after(self, spec: ChildSpec) -> None:
        child = self._children.get(spec.name)
        if child is None:
            if time.monotonic() >= self._due[spec.name]:
                self._children[spec.name] = Child(spec, self._say)
                self._say(NAME, f"{spec.name} was started again")
            return
        status = child.ended()
        if status is None:
            return
        ran_s = time.monotonic() - child.started_at
        child.finish(0)
        del self._children[spec.name]
        deaths = 1 if ran_s >= STEADY_S else self._deaths.get(spec.name, 0) + 1
        pause = pause_before_restart(deaths)
        self._deaths[spec.name] = deaths
        self._due[spec.name] = time.monotonic() + pause
        lost = f" {spec.loses}" if spec.loses else ""
        self._say(
            NAME, f"{spec.name} ended ({exit_words(status)}).{lost} Started again in {pause:g} s."
        )

    def _stop_some(self, specs: Sequence[ChildSpec], wait_s: float) -> None:
        children = [self._children.pop(spec.name, None) for spec in specs]
        running = [child for child in children if child is not None]
        for child in running:
            child.ask_to_stop()
        deadline = time.monotonic() + wait_s
        for child in running:
            self._finish(child, deadline)

    def _finish(self, child: Child, deadline: float) -> None:
        """Wait for one child, until `deadline` or a second signal, and then kill it."""
        while child.ended() is None and time.monotonic() < deadline and self._signals <= 1:
            time.sleep(_POLL_S)
        if not child.finish(0.05):
            self._say(NAME, f"{child.spec.name} did not end by itself and was killed.")
