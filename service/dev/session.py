"""One session of `runbookd dev`: which processes it starts, and how it knows that each is ready."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from rich.console import Console

from service.bootstrap.rules import load_rules
from service.catalogue.cache.target import NAME as CACHE
from service.dev.home import held_home, noted
from service.dev.plan import DevPlan, environment, make_plan, shared_with_terminals
from service.dev.redis_server import find_redis, redis_command, redis_url, socket_path
from service.dev.screen import Screen
from service.dev.supervisor import NAME, ChildSpec, Supervisor
from service.settings import ACCESS_SECRETS, SECRETS, Settings
from service.store.coordination import connect

_PATIENCE_S = 2.0
"""Seconds that one check waits for an answer. Checks are repeated until a process is ready."""


def answers(host: str, port: int, path: str) -> dict[str, Any] | None:
    """The JSON object with which a GET of `path` is answered. None without a 200."""
    connection = HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return body if response.status == 200 and isinstance(body, dict) else None  # noqa: PLR2004 - HTTP


def web_keeps_alerts(host: str, port: int) -> bool:
    """Whether the web process can store alerts."""
    return answers(host, port, "/readyz") is not None


def worker_lives(host: str, port: int) -> bool:
    """Whether the web process sees a worker with a valid lease."""
    state = answers(host, port, "/readyz")
    return state is not None and bool(state.get("workers"))


def sandbox_answers(host: str, port: int) -> bool:
    """Whether the sandbox answers."""
    return answers(host, port, "/_sandbox/state") is not None


def redis_answers(url: str) -> bool:
    """Whether Redis takes commands."""
    return connect(url, _PATIENCE_S, lambda: "").ping() is None


_REDIS_LOSES = "Decisions are made on SQL alone meanwhile; nothing is lost."
_APP_CACHE_LOSES = "It comes back with what it has saved."
_SANDBOX_LOSES = "The sandbox cloud begins anew: what was scaled in it is forgotten."


def redis_child(
    home: Path, socket: Path, name: str = "redis", loses: str = _REDIS_LOSES
) -> ChildSpec:
    """How a Redis of our own is started, or one that stands for the application's.

    Raises:
        DevRefused: there is no server program.
    """
    url = redis_url(socket)
    return ChildSpec(
        name=name,
        command=redis_command(find_redis(), home, socket),
        environment={},
        ready=lambda: redis_answers(url),
        withheld=SECRETS,
        foundation=True,
        loses=loses,
    )


def sandbox_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """How the stand-in cloud is started."""
    return ChildSpec(
        name="sandbox",
        command=_runbookd("sandbox"),
        environment=environment,
        ready=lambda: sandbox_answers("127.0.0.1", plan.sandbox_port),
        withheld=SECRETS,
        foundation=True,
        loses=_SANDBOX_LOSES,
    )


def web_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """How the web process is started. It gets only the secrets that it needs."""
    return ChildSpec(
        name="web",
        command=_runbookd("web"),
        environment=environment,
        ready=lambda: web_keeps_alerts(plan.reach, plan.port),
        withheld=SECRETS - ACCESS_SECRETS,
        loses="Senders repeat what was not answered.",
    )


def worker_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """How the worker is started. It gets no vendor's secret, but the way to what the sandbox does
    not stand in for."""
    return ChildSpec(
        name="worker",
        command=_runbookd("worker"),
        environment=environment,
        ready=lambda: worker_lives(plan.reach, plan.port),
        # The sandbox stands in for every vendor, but for none of these.
        withheld=SECRETS
        - {"PROMETHEUS_TOKEN", "APP_DATABASE_URL", "APP_CACHE_URL", "CACHE_CLUSTER_URLS"},
        loses="Its runs go on where they stopped.",
    )


def _runbookd(command: str) -> tuple[str, ...]:
    """Our command line in this interpreter, whichever `runbookd` is on the PATH."""
    return (sys.executable, "-m", "service.cli", command)


def run(settings: Settings, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM. No child is left behind, whatever happens.

    Raises:
        DevRefused: something it needs is missing or taken. Nothing runs then.
        SettingsInvalid: anybody outside this machine could post alerts.
    """
    with ExitStack() as stack:
        home = stack.enter_context(held_home(settings.runbookd_home))
        plan = make_plan(settings, home)
        redis = _redis(plan, stack)
        cache = _app_cache(settings, home, stack)
        told = {**shared_with_terminals(plan, settings, redis.url), **cache.told}
        stack.enter_context(noted(home, told))
        screen = Screen(console)
        supervisor = Supervisor(_children(plan, settings, redis, cache), screen.say)
        supervisor.listen_to_signals()
        try:
            supervisor.start()
            if not supervisor.stopping:
                screen.banner(plan, redis.where, time.time())
            supervisor.watch()
        finally:
            screen.say(NAME, "ending …")
            supervisor.stop()
        screen.say(NAME, "ended; the data is still in " + str(home))


@dataclass(frozen=True, slots=True)
class _Redis:
    """Where Redis is: `url` for programs, `where` for people. `child` is set if we must start
    it."""

    url: str
    where: str
    child: ChildSpec | None = None


def _redis(plan: DevPlan, stack: ExitStack) -> _Redis:
    if plan.redis_given:
        return _Redis(plan.redis_given, "the one that REDIS_URL names")
    socket = stack.enter_context(socket_path(plan.home))
    child = redis_child(plan.home, socket)
    return _Redis(redis_url(socket), f"{socket}  ({child.command[0]})", child)


@dataclass(frozen=True, slots=True)
class _AppCache:
    """The server that stands for the application's cache; `child` is None where none is needed."""

    child: ChildSpec | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    """APP_CACHE_URL, for the worker and for commands in a second terminal."""


def _app_cache(settings: Settings, home: Path, stack: ExitStack) -> _AppCache:
    """A server beside our own, where the rules have a cache and no setting leads to one."""
    targets = load_rules(settings).targets.values()
    if settings.app_cache_url.get_secret_value() or CACHE not in {each.kind for each in targets}:
        return _AppCache()
    its_home = home / "app-cache"
    its_home.mkdir(exist_ok=True)
    socket = stack.enter_context(socket_path(its_home))
    child = redis_child(its_home, socket, "app-cache", _APP_CACHE_LOSES)
    return _AppCache(child, {"APP_CACHE_URL": redis_url(socket)})


def _children(
    plan: DevPlan, settings: Settings, redis: _Redis, cache: _AppCache
) -> list[ChildSpec]:
    """The processes to start, in order."""
    shared = environment(plan, settings, redis.url)
    first = [each for each in (redis.child, cache.child) if each]
    if not plan.sandbox_given:
        first.append(sandbox_child(plan, shared))
    return [*first, web_child(plan, shared), worker_child(plan, {**shared, **cache.told})]
