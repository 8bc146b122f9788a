"""Finds the real programs that some tests run: a fresh machine may skip those tests, CI never does.

A machine without them still passes `make test`, and each skip says what to install; with CI=true a
missing program fails the test, because a check that silently doesn't run is no check.
"""

from __future__ import annotations

import os
import shutil

import pytest

ALIASES: dict[str, tuple[str, ...]] = {
    # Debian renamed the binary; elsewhere it has its own name.
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    "prometheus-alertmanager": ("prometheus-alertmanager", "alertmanager"),
    # Debian puts it where only root's PATH leads.
    "pgbouncer": ("pgbouncer", "/usr/sbin/pgbouncer"),
    "nginx": ("nginx", "/usr/sbin/nginx"),
}


def find(program: str) -> str | None:
    """Return the path of `program` under any of its names, or None when it isn't installed."""
    for name in ALIASES.get(program, (program,)):
        path = shutil.which(name)
        if path is not None:
            return path
    return None


def require(program: str, package: str) -> str:
    """Return the path of `program`; without it skip the test, or fail it when CI=true.

    `package` is the Debian package that carries it: `prometheus` (prometheus, promtool),
    `prometheus-alertmanager` (prometheus-alertmanager, amtool), `redis-server`, `pgbouncer`,
    `nginx`, `chromium`.
    """
    path = find(program)
    if path is not None:
        return path
    message = f"{program} is not installed: apt-get install {package}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{message} (with CI=true nothing is skipped)", pytrace=False)
    pytest.skip(message)
