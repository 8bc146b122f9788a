"""Starts the children together, restarts the ones that die, and ends all of them in order.

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
"""Shows one line of a process: its name, and the line."""

_PARENT_DEATH = str(Path(parent_death.__file__).resolve())


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


NAME = "dev"
"""How the supervisor's own lines are marked."""

START_WAIT_S = 90.0
"""Until all are ready; a slow machine needs some ten seconds, a hanging one is to be told."""
STOP_WAIT_S = 10.0
"""For requests and runs under way; above the 5 s that a stopping worker gives its runs."""
FOUNDATION_WAIT_S = 3.0
"""For Redis to write its file, and for the sandbox to close."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
STEADY_S = 60.0
"""A child that ran this long has earned a quick restart again."""
_POLL_S = 0.1


def pause_before_restart(deaths: int) -> float:
    """Seconds to wait after the nth death in a row: doubled each time, up to a quarter minute."""
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
    """The children of one development service; used from the main thread only, because the
    kernel ties a child to the thread that started it."""

    def __init__(self, specs: Sequence[ChildSpec], say: Say) -> None:
        self._specs = tuple(specs)
        self._say = say
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._signals = 0

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end."""
        return self._signals > 0

    def listen_to_signals(self) -> None:
        """SIGINT, SIGTERM and a closed terminal end the service; a second one ends it at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def pids(self) -> dict[str, int]:
        """The children's process ids, by name."""
        return {name: child.pid for name, child in self._children.items()}

    def start(self) -> None:
        """Start all and wait until each is ready, or somebody asks for the end.

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
        """Restart what dies, until somebody asks for the end."""
        while not self.stopping:
            for spec in self._specs:
                self._look_after(spec)
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End all: first those that work, then what they stand on."""
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
        """Wait for one child; a second signal ends the waiting."""
        while child.ended() is None and time.monotonic() < deadline and self._signals <= 1:
            time.sleep(_POLL_S)
        if not child.finish(0.05):
            self._say(NAME, f"{child.spec.name} did not end by itself and was killed.")
