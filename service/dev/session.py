"""One session of `runbookd dev`, from the first check to the last child's end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from service.dev.child import ChildSpec
from service.dev.children import redis_child, sandbox_child, web_child, worker_child
from service.dev.home import held_home
from service.dev.neighbour import noted
from service.dev.plan import DevPlan, environment, make_plan, shared_with_terminals
from service.dev.redis_server import redis_url, socket_path
from service.dev.screen import Screen
from service.dev.supervisor import NAME, Supervisor
from service.settings import Settings


def run(settings: Settings, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; whatever happens, no child is left.

    Raises:
        DevRefused: something it needs is missing or taken; nothing runs then.
        SettingsInvalid: a setting is in the way.
    """
    with ExitStack() as stack:
        home = stack.enter_context(held_home(settings.runbookd_home))
        plan = make_plan(settings, home)
        redis = _redis(plan, stack)
        stack.enter_context(noted(home, shared_with_terminals(plan, settings, redis.url)))
        screen = Screen(console)
        supervisor = Supervisor(_children(plan, settings, redis), screen.say)
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
    """Where Redis is, for programs and for people; `child` when it is ours to start."""

    url: str
    where: str
    child: ChildSpec | None = None


def _redis(plan: DevPlan, stack: ExitStack) -> _Redis:
    if plan.redis_given:
        return _Redis(plan.redis_given, "the one that REDIS_URL names")
    socket = stack.enter_context(socket_path(plan.home))
    child = redis_child(plan.home, socket)
    return _Redis(redis_url(socket), f"{socket}  ({child.command[0]})", child)


def _children(plan: DevPlan, settings: Settings, redis: _Redis) -> list[ChildSpec]:
    """What to start, in order."""
    shared = environment(plan, settings, redis.url)
    first = [redis.child] if redis.child else []
    if not plan.sandbox_given:
        first.append(sandbox_child(plan, shared))
    return [*first, web_child(plan, shared), worker_child(plan, shared)]
