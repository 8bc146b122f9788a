"""No command shows a secret: each runs as a process of its own, with secrets planted everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from service.cli.commands import ENTRIES
from tests.processes import ROOT, free_port, inherited, wait_until
from tests.unit.cli.commandline import SANDBOX_IDS

PLANTED = "planted-not-real"
"""A part of each secret."""
NOWHERE = "127.0.0.1:1"
ADDRESSES = {
    "user and password": {
        "DATABASE_URL": f"postgresql://user:db-{PLANTED}@{NOWHERE}/app",
        "REDIS_URL": f"redis://user:redis-{PLANTED}@{NOWHERE}/0",
        "PROMETHEUS_URL": f"http://user:prom-{PLANTED}@{NOWHERE}",
    },
    "query": {
        "DATABASE_URL": f"postgresql://{NOWHERE}/app?password=db-{PLANTED}",
        "REDIS_URL": f"redis://{NOWHERE}/0?password=redis-{PLANTED}",
        "PROMETHEUS_URL": f"http://{NOWHERE}/?token=prom-{PLANTED}",
    },
    "words that the libraries do not know": {
        "DATABASE_URL": f"postgresql://{NOWHERE}/app?port=x&password=db-{PLANTED}&token={PLANTED}",
        "REDIS_URL": f"redis://:redis-{PLANTED}@{NOWHERE}/0?socket_timeout={PLANTED}",
        "PROMETHEUS_URL": f"prometheus://user:prom-{PLANTED}@{NOWHERE}",
    },
}
ARGUMENTS = {"explain": ["a-1"], "load": ["--plan"], "worker": ["--allow-missing"]}
PATIENCE_S = 180.0
"""For all but the sandbox, which ends only when it is told to: nothing that they need answers."""


def said(command: str, home: Path, given: Mapping[str, str]) -> str:
    secrets = {
        "ALERTMANAGER_TOKENS": f"am-{PLANTED}",
        "GRAFANA_BASIC": f"grafana:basic-{PLANTED}",
        "API_TOKENS": f"api-{PLANTED}",
        "DIGITALOCEAN_TOKEN": f"do-{PLANTED}",
        "SUPABASE_ACCESS_TOKEN": f"sbp-{PLANTED}",
        "PAGERDUTY_ROUTING_KEY": f"pd-{PLANTED}",
        "SLACK_BOT_TOKEN": f"xoxb-{PLANTED}",
        "PROMETHEUS_TOKEN": f"token-{PLANTED}",
        # Vendors that answer: nothing of this may leave the machine.
        "SANDBOX_URL": f"http://user:sandbox-{PLANTED}@{NOWHERE}",
    }
    ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    environment = {**inherited(), **SANDBOX_IDS, **secrets, **ports, **given}
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", command, *ARGUMENTS.get(command, [])],
        cwd=ROOT,
        env={**environment, "RUNBOOKD_HOME": str(home), "LOG_LEVEL": "debug"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if command == "sandbox":
        assert wait_until(lambda: answers(int(ports["SANDBOX_PORT"])), PATIENCE_S)
        process.terminate()
    try:
        return process.communicate(timeout=PATIENCE_S)[0]
    finally:
        process.kill()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/_sandbox/state").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("addresses", ADDRESSES.values(), ids=ADDRESSES.keys())
@pytest.mark.parametrize("command", ENTRIES)
def test_no_command_shows_a_secret(
    tmp_path: Path, command: str, addresses: Mapping[str, str]
) -> None:
    shown = said(command, tmp_path, addresses)
    assert shown or command == "sandbox", "it says something"
    assert PLANTED not in shown
