"""One session of `runbookd dev`, from the first check to the last child's end."""

from __future__ import annotations

import time
from contextlib import ExitStack

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
        specs, redis = _children(plan, settings, stack)
        stack.enter_context(noted(home, shared_with_terminals(plan, settings)))
        screen = Screen(console)
        supervisor = Supervisor(specs, screen.say)
        supervisor.listen_to_signals()
        try:
            supervisor.start()
            if not supervisor.stopping:
                screen.banner(plan, redis, time.time())
            supervisor.watch()
        finally:
            screen.say(NAME, "ending …")
            supervisor.stop()
        screen.say(NAME, "ended; the data is still in " + str(home))


def _children(plan: DevPlan, settings: Settings, stack: ExitStack) -> tuple[list[ChildSpec], str]:
    """What to start, in order, and where Redis is, for the banner."""
    specs: list[ChildSpec] = []
    if plan.redis_given:
        url, redis = plan.redis_given, "the one that REDIS_URL names"
    else:
        socket = stack.enter_context(socket_path(plan.home))
        url = redis_url(socket)
        specs.append(spec := redis_child(plan.home, socket))
        redis = f"{socket}  ({spec.command[0]})"
    shared = environment(plan, settings, url)
    if not plan.sandbox_given:
        specs.append(sandbox_child(plan, shared))
    return [*specs, web_child(plan, shared), worker_child(plan, shared)], redis
