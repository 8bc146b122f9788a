"""The children of a development service: the processes of production, and a Redis."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from service.dev import ready
from service.dev.child import ChildSpec
from service.dev.plan import DevPlan
from service.dev.redis_server import find_redis, redis_command, redis_url
from service.settings import ACCESS_SECRETS, SECRETS

_REDIS_LOSES = "Decisions are made on SQL alone meanwhile; nothing is lost."
_SANDBOX_LOSES = "The sandbox cloud begins anew: what was scaled in it is forgotten."


def redis_child(home: Path, socket: Path) -> ChildSpec:
    """A Redis of our own.

    Raises:
        DevRefused: no server program is there.
    """
    url = redis_url(socket)
    return ChildSpec(
        name="redis",
        command=redis_command(find_redis(), home, socket),
        environment={},
        ready=lambda: ready.redis_answers(url),
        withheld=SECRETS,
        foundation=True,
        loses=_REDIS_LOSES,
    )


def sandbox_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """The stand-in cloud."""
    return ChildSpec(
        name="sandbox",
        command=_runbookd("sandbox"),
        environment=environment,
        ready=lambda: ready.sandbox_answers("127.0.0.1", plan.sandbox_port),
        withheld=SECRETS,
        foundation=True,
        loses=_SANDBOX_LOSES,
    )


def web_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """The web process."""
    return ChildSpec(
        name="web",
        command=_runbookd("web"),
        environment=environment,
        ready=lambda: ready.web_keeps_alerts(plan.reach, plan.port),
        withheld=SECRETS - ACCESS_SECRETS,
        loses="Senders repeat what was not answered.",
    )


def worker_child(plan: DevPlan, environment: Mapping[str, str]) -> ChildSpec:
    """The worker."""
    return ChildSpec(
        name="worker",
        command=_runbookd("worker"),
        environment=environment,
        ready=lambda: ready.worker_lives(plan.reach, plan.port),
        # The sandbox stands in for every vendor; Prometheus is a real one.
        withheld=SECRETS - {"PROMETHEUS_TOKEN"},
        loses="Its runs go on where they stopped.",
    )


def _runbookd(command: str) -> tuple[str, ...]:
    """Our own command line in this very interpreter, whatever the PATH says."""
    return (sys.executable, "-m", "service.cli", command)
