"""gunicorn's configuration, from our settings: `gunicorn -c python:service.web.gunicorn_conf`.

One process with many threads is fastest on SQLite: the threads share commits, and two processes
would wait for its one write lock in turn. On PostgreSQL, WEB_WORKERS may be raised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service import telemetry
from service.settings import load_settings

_settings = load_settings()
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its own file there

wsgi_app = "service.web.wsgi:create()"
bind = f"{_settings.host}:{_settings.port}"
workers = _settings.web_workers
worker_class = "gthread"
threads = _settings.web_threads
worker_connections = 1_000
backlog = 2_048
keepalive = 75
"""Seconds: longer than a sender's group_interval is not worth a socket, shorter means a new
connection for each notification of a storm."""
timeout = 60
graceful_timeout = 25
"""Seconds in which requests under way are answered after SIGTERM; above the 20 s that one waits
for its commit at most, below the 30 s after which platforms kill."""
accesslog = None
errorlog = "-"
loglevel = _settings.log_level
proc_name = "runbookd-web"
preload_app = False
control_socket_disable = True
worker_tmp_dir = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
"""The heartbeat file lives in memory: on a busy disk it would look like a hanging worker."""


def child_exit(_server: Any, worker: Any) -> None:
    """A process is gone: what it counted stays."""
    telemetry.forget_process(worker.pid)
