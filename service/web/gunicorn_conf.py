"""gunicorn's configuration, from our settings: `gunicorn -c python:service.web.gunicorn_conf`.

On SQLite one process is fastest: its requests share commits, and two processes would wait for the
one write lock in turn. On PostgreSQL, WEB_WORKERS may be raised.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types

from service import telemetry
from service.bootstrap.access import judge_access, require_access
from service.bootstrap.startup import prepare_web, start_logging
from service.domain.errors import StoreUnavailable
from service.rulebook import RuleBookInvalid
from service.settings import (
    VENDOR_SECRETS,
    Settings,
    SettingsInvalid,
    child_environment,
    given_of,
    load_settings,
    redactor_of,
)
from service.web.storm_worker import unserved

_log = structlog.get_logger(__name__)


def _settings_or_exit() -> Settings:
    try:
        return load_settings()
    except SettingsInvalid as error:
        sys.exit(redactor_of()(str(error)))


class OurLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gives gunicorn's own log lines the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Send gunicorn's error log to the root logger."""
        super().setup(cfg)
        start_logging(_settings)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


_settings = _settings_or_exit()
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its own file there

wsgi_app = "service.web.wsgi:create_on_greenlets()"
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
workers = _settings.web_workers
worker_class = "service.web.storm_worker.StormWorker"
worker_connections = 1_000
backlog = 2_048
keepalive = 75
"""Seconds that an idle connection is kept. A sender's next notification often comes within a minute
(group_interval). With a shorter time, a storm would open a connection for each notification."""
timeout = 60
graceful_timeout = 25
"""Seconds for requests that are under way at a SIGTERM. More than the 20 s that a request waits for
its commit, and less than the 30 s after which platforms kill a process."""
forwarded_allow_ips = ""
forwarder_headers = ""
"""No header may change a request's path or scheme. By default gunicorn trusts SCRIPT_NAME from
loopback, so a request could change its path after a proxy has checked it."""
accesslog = None
errorlog = "-"
logger_class = OurLogger
loglevel = _settings.log_level
proc_name = "runbookd-web"
preload_app = False
control_socket_disable = True
worker_tmp_dir = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
"""The heartbeat file is kept in memory. On a busy disk, a slow write would look like a hanging
worker."""


def on_starting(server: Any) -> None:
    """Before the first request: refuse unsafe settings, check the rules, migrate the tables.

    A failure ends the process with its sentences and status 1.
    """
    _without_vendor_secrets()
    if sentences := unserved(server.cfg):
        sys.exit("\n".join(sentences))
    try:
        prepare_web(_settings, _hosts(server.cfg.address))
    except (SettingsInvalid, RuleBookInvalid, StoreUnavailable) as error:
        sys.exit(redactor_of()(str(error)))
    except Exception:
        sys.exit(redactor_of()(traceback.format_exc()))


def _without_vendor_secrets() -> None:
    """Start this program again without the secrets that only a worker needs, if it was given any.

    The kernel shows a process's first environment (`/proc/<pid>/environ`) for as long as it runs.
    Deleting a variable later does not remove it from there.
    """
    if names := given_of(VENDOR_SECRETS):
        _log.info("vendor_secrets_dropped", names=names, why="only a worker needs them")
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, again, child_environment({}, VENDOR_SECRETS))  # noqa: S606 - ourselves


def when_ready(server: Any) -> None:
    """Check who may post, now that the sockets exist and before a request is served.

    The address of an inherited socket is known only here.
    """
    hosts = _hosts([each.sock.getsockname() for each in server.LISTENERS])
    try:
        require_access(judge_access(_settings, hosts, keeps_short_secrets=True))
    except SettingsInvalid as error:
        sys.exit(redactor_of()(str(error)))


def _hosts(addresses: list[Any]) -> list[str]:
    """The hosts that gunicorn binds, whether our settings or its own name them.

    A Unix socket is given by its path. A number is an inherited socket, whose address is not known
    yet.
    """
    return [
        address[0] if isinstance(address, tuple) else f"/{address}"
        for address in addresses
        if not isinstance(address, int)
    ]


def child_exit(_server: Any, worker: Any) -> None:
    """A process has ended. Its counters stay in the sums of `/metrics`, and its gauges go."""
    telemetry.forget_process(worker.pid)
