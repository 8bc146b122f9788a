"""The state of the whole sandbox, behind one lock.

Nothing here runs by itself. `at_now` first moves the state to the present instant: every
deployment, action and restart whose time has come ends then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from service.sandbox.config import SandboxConfig
from service.sandbox.core.clock import Clock
from service.sandbox.core.faults import Faults
from service.sandbox.core.limits import Limits
from service.sandbox.core.recorder import Recorder
from service.sandbox.digitalocean.app import App
from service.sandbox.digitalocean.app_seed import LOADED_COMPONENT, seeded_app
from service.sandbox.digitalocean.droplet import Droplet, Durations
from service.sandbox.digitalocean.sizes import APP_SIZES, DROPLET_SIZES
from service.sandbox.quizmentor import load as quizmentor
from service.sandbox.quizmentor.load import Capacity, Load
from service.sandbox.quizmentor.meter import Meter
from service.sandbox.supabase.project import Project

StateT = TypeVar("StateT")

FIRST_DROPLET_SIZE = "s-1vcpu-1gb"
"""The droplet's size at the start, as in the runbook."""


class Cloud:
    """The vendors' state, the load on QuizMentor, and the record of all calls."""

    def __init__(self, config: SandboxConfig, clock: Clock) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._start = config
        self._fill(config)

    @contextmanager
    def at_now(self) -> Iterator[float]:
        """Lock the cloud, and move its state to the present instant, which the block gets."""
        with self._lock:
            now = self._clock()
            self._settle(now)
            yield now

    def reset(self, changes: Mapping[str, Any]) -> None:
        """Start again, with these fields of the first configuration changed."""
        with self._lock:
            self._fill(replace(self._start, **changes))

    def state(self, kind: Callable[[], StateT]) -> StateT:
        """A vendor's own state. `kind` makes it at its first use, and again after a reset."""
        if kind not in self._states:
            self._states[kind] = kind()
        state: StateT = self._states[kind]
        return state

    def durations(self) -> Durations:
        """How long droplet actions take: `action_seconds`, unless the droplet control says
        otherwise."""
        base = self.config.action_seconds
        return Durations(base, self.action_seconds_by_type, self.action_seconds_per_gb)

    def next_action_id(self) -> int:
        """A new id for an action of a droplet."""
        self._last_action += 1
        return self._last_action

    def instances(self, app_id: str, component: str) -> int:
        """How many instances of a component run, with those of the vendor's own autoscaling."""
        running = self.apps[app_id].running.get(component)
        if running is None:
            return 0
        if running.autoscaling is None:
            return running.instances
        vcpus = APP_SIZES[running.size].vcpus
        rps = self.load.rps if self._loaded(app_id, component) else 0.0
        return quizmentor.autoscaled_instances(running.autoscaling, rps, vcpus)

    def cpu_percent(self, app_id: str, component: str) -> float:
        """CPU usage of each instance in percent. Only QuizMentor's `api` has load."""
        if not self._loaded(app_id, component) or not self.instances(app_id, component):
            return 0.0
        return quizmentor.cpu_percent(self.load, self.capacity())

    def capacity(self) -> Capacity:
        """The capacity with which QuizMentor serves its load."""
        running = self.apps[self.config.app_id].running.get(LOADED_COMPONENT)
        return Capacity(
            instances=max(1, self.instances(self.config.app_id, LOADED_COMPONENT)),
            vcpus=APP_SIZES[running.size].vcpus if running else 1,
            memory_mb=self.droplets[self.config.droplet_id].spec.memory_mb,
            max_connections=self.projects[self.config.supabase_ref].max_connections,
        )

    def _loaded(self, app_id: str, component: str) -> bool:
        return app_id == self.config.app_id and component == LOADED_COMPONENT

    def _fill(self, config: SandboxConfig) -> None:
        now = self._clock()
        self.config = config
        self.apps = _apps(config, now)
        self.droplets = {config.droplet_id: _droplet(config.droplet_id, now)}
        self.projects = {config.supabase_ref: Project(config.supabase_ref, now, started_at=now)}
        self._states: dict[Any, Any] = {}
        self.load, self.meter = Load(), Meter(at=now)
        self.faults, self.limits, self.recorder = Faults(), Limits(), Recorder()
        self.action_seconds_by_type: dict[str, float] = {}
        self.action_seconds_per_gb: dict[str, float] = {}
        self._last_action = 36_804_000

    def _settle(self, now: float) -> None:
        """Let everything happen that is due, in order of time.

        Between two events the counters grow at the capacity of that time.
        """
        while due := [(at, part) for part in self._parts() if (at := part.next_due()) is not None]:
            at, part = min(due, key=lambda one: one[0])
            if at > now:
                break
            self._count_until(at)
            part.settle(at)
        self._count_until(now)

    def _count_until(self, instant: float) -> None:
        p95 = quizmentor.p95_ms(self.load, self.capacity())
        self.meter.advance(instant, self.load, p95)

    def _parts(self) -> Iterator[App | Droplet | Project]:
        yield from self.apps.values()
        yield from self.droplets.values()
        yield from self.projects.values()


def _apps(config: SandboxConfig, now: float) -> dict[str, App]:
    apps = {config.app_id: seeded_app(config.app_id, "quizmentor", now)}
    for number in range(config.extra_apps):
        app_id = f"app-bench-{number:03d}"
        apps[app_id] = seeded_app(app_id, f"quizmentor-bench-{number:03d}", now)
    return apps


def _droplet(droplet_id: int, now: float) -> Droplet:
    disk = DROPLET_SIZES[FIRST_DROPLET_SIZE].disk_gb
    return Droplet(droplet_id, "quizmentor-worker", FIRST_DROPLET_SIZE, now, disk)
