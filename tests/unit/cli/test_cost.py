"""What a command loads: a list is quick because of what it leaves out (docs/performance.md).

Each command runs in a process of its own, and tells what it has loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service.cli.commands import ENTRIES
from service.store import schema
from service.store.database import open_engine
from service.store.facts import TARGETS, FactStore
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS

ENGINE_AND_SDKS = {
    "alembic",
    "azure",
    "dbos",
    "flask",
    "gevent",
    "httpx",
    "pagerduty",
    "psycopg",
    "pydo",
    "redis",
    "requests",
    "slack_sdk",
    "structlog",
}
OVER_HTTP = ENGINE_AND_SDKS | {"pydantic", "pydantic_core", "re2", "sqlalchemy", "sqlite3", "yaml"}
OTHER_DATABASE = {"sqlalchemy.dialects.postgresql"}
READS = [
    ("runs",),
    ("alerts",),
    ("quarantine",),
    ("readings",),
    ("status",),
    ("explain", "--last"),
]


MODELS_AND_RULES = {"pydantic", "pydantic_core", "re2", "yaml"}
POLICY = {"service.domain.decisions.policy"}
"""It stands for all that it is made of: windows, time zones, budgets."""


def loaded_by(*arguments: str, env: Mapping[str, str]) -> set[str]:
    """The modules that a command has loaded when it ends."""
    program = (
        "import sys\n"
        f"sys.argv = ['runbookd', *{arguments!r}]\n"
        "from service.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **SANDBOX_IDS, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(said.stderr.splitlines()[-1].split())
    entry = ENTRIES[arguments[0]]
    assert f"service.cli.{entry.module or arguments[0]}" in loaded
    return loaded


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    url = f"sqlite:///{tmp_path / 'runbookd.db'}"
    engine = open_engine(url)
    schema.metadata.create_all(engine)
    FactStore(engine).put(TARGETS, '{"hash": "0123456789ab", "targets": {}}')
    engine.dispose()
    return {"DATABASE_URL": url, "RUNBOOKD_URL": ""}


@pytest.fixture(scope="module")
def service() -> Iterator[dict[str, str]]:
    """A service that knows nothing, and answers that at once."""
    nothing: dict[str, Any] = {
        "items": [],
        "next": None,
        "at": "2026-01-31T09:00:00Z",
        "workers": 1,
        "queue": {"queued": 0, "running": 0, "messages": 0},
        "rules_hash": "0123456789ab",
        "targets": {},
        "run": None,
        "alert": None,
        "decisions": [],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(nothing).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"RUNBOOKD_URL": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_command_on_the_local_store_loads_no_engine_no_sdk_and_no_other_database(
    command: tuple[str, ...], store: dict[str, str]
) -> None:
    assert loaded_by(*command, env=store) & (ENGINE_AND_SDKS | OTHER_DATABASE) == set()


@pytest.mark.parametrize("command", [("runs",), ("alerts",), ("quarantine",), ("status",)])
def test_a_list_on_the_local_store_loads_no_models_and_no_rules(
    command: tuple[str, ...], store: dict[str, str]
) -> None:
    barred = MODELS_AND_RULES if command == ("status",) else MODELS_AND_RULES | POLICY
    assert loaded_by(*command, env=store) & barred == set()


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_command_through_the_api_loads_no_store_and_no_models_either(
    command: tuple[str, ...], service: dict[str, str]
) -> None:
    assert loaded_by(*command, env=service) & OVER_HTTP == set()


def test_a_number_on_the_command_line_loads_no_models(service: dict[str, str]) -> None:
    assert loaded_by("runs", "--limit", "5", env=service) & OVER_HTTP == set()


@pytest.mark.parametrize("command", ENTRIES)
def test_help_loads_nothing_heavy(command: str) -> None:
    assert loaded_by(command, "--help", env={}) & OVER_HTTP == set()
