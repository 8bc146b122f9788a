"""All the state there is, behind one lock, moved forward by looking at the clock.

Nothing here runs by itself: whoever opens the cloud with `at_now` finds it as it would be at that
instant, each deployment, action and restart having ended when its time came.
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
from service.sandbox.core.meter import Meter
from service.sandbox.core.recorder import Recorder
from service.sandbox.digitalocean.app import App
from service.sandbox.digitalocean.app_seed import LOADED_COMPONENT, seeded_app
from service.sandbox.digitalocean.droplet import Droplet, Durations
from service.sandbox.digitalocean.sizes import APP_SIZES, DROPLET_SIZES
from service.sandbox.quizmentor import load as quizmentor
from service.sandbox.quizmentor.load import Capacity, Load
from service.sandbox.supabase.project import Project

StateT = TypeVar("StateT")

FIRST_DROPLET_SIZE = "s-1vcpu-1gb"


class Cloud:
    """The vendors' state, the load on QuizMentor, and the record of what was asked."""

    def __init__(self, config: SandboxConfig, clock: Clock) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._start = config
        self._fill(config)

    @contextmanager
    def at_now(self) -> Iterator[float]:
        """Hold the cloud, settled at this instant, which is what the block gets."""
        with self._lock:
            now = self._clock()
            self._settle(now)
            yield now

    def reset(self, changes: Mapping[str, Any]) -> None:
        """Start again as at start-up, with these fields of the configuration changed."""
        with self._lock:
            self._fill(replace(self._start, **changes))

    def state(self, kind: Callable[[], StateT]) -> StateT:
        """A vendor's own state: made when it is first asked for, and anew after a reset."""
        if kind not in self._states:
            self._states[kind] = kind()
        state: StateT = self._states[kind]
        return state

    def durations(self) -> Durations:
        """How long droplet actions take: as all else, unless the droplet control says otherwise."""
        base = self.config.action_seconds
        return Durations(base, self.action_seconds_by_type, self.action_seconds_per_gb)

    def next_action_id(self) -> int:
        """A new id for a droplet action."""
        self._last_action += 1
        return self._last_action

    def instances(self, app_id: str, component: str) -> int:
        """How many instances of a component run, the vendor's own scaling counted in."""
        running = self.apps[app_id].running.get(component)
        if running is None:
            return 0
        if running.autoscaling is None:
            return running.instances
        vcpus = APP_SIZES[running.size].vcpus
        rps = self.load.rps if self._loaded(app_id, component) else 0.0
        return quizmentor.autoscaled_instances(running.autoscaling, rps, vcpus)

    def cpu_percent(self, app_id: str, component: str) -> float:
        """CPU usage of each instance; the load is on QuizMentor's `api`, all else is idle."""
        if not self._loaded(app_id, component) or not self.instances(app_id, component):
            return 0.0
        return quizmentor.cpu_percent(self.load, self.capacity())

    def capacity(self) -> Capacity:
        """What QuizMentor has to serve its load with."""
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
        """In the order of time, so that the counters see each capacity for as long as it was."""
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
