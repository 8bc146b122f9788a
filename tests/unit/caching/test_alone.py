"""The cache is usable without the rest of runbookd."""

from __future__ import annotations

import subprocess
import sys

ALONE = """
import sys
import service.caching, service.caching.cloudflare
import service.caching.redis_layer, service.caching.table
print(sorted(n for n in sys.modules if n.startswith("service.") and "caching" not in n))
print([n for n in ("flask", "dbos", "pydantic", "structlog", "gevent") if n in sys.modules])
"""
LIGHT = """
import sys
import service.caching
print([n for n in ("redis", "sqlalchemy", "httpx") if n in sys.modules])
"""


def said(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_the_cache_imports_nothing_else_of_runbookd() -> None:
    assert said(ALONE) == "[]\n[]\n"


def test_a_cache_in_memory_needs_neither_redis_nor_a_database() -> None:
    assert said(LIGHT) == "[]\n"
