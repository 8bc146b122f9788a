"""What gunicorn really binds is what is judged; real processes, refused or started."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.bootstrap.stores import Stores
from service.settings import SettingsInvalid, load_settings, setting_names
from service.store.facts import SHORT_SECRETS, FactStore
from service.web.wsgi import create
from tests.processes import Process, free_port, wait_until
from tests.unit.cli.commandline import SANDBOX_IDS

PATIENCE_S = 90.0
TOKEN = "test-token-not-real"
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:service.web.gunicorn_conf")
RULES = """
rules:
  - name: told
    match: ['alertname="Storm"']
    action: tell
    with: {channels: ['#ops'], text: It fires.}
    cooldown: 10m
"""
ANYWHERE = "0.0.0.0"  # noqa: S104 - refused before it serves


def web(home: Path, *options: str, **environment: str) -> Process:
    given = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(home), "LOG_FORMAT": "json", **environment}
    return Process("web", [*GUNICORN, *options], home / "log", given)


def refusal(process: Process) -> str:
    """What it says before it ends with status 1."""
    process.start()
    try:
        ended = wait_until(lambda: process.exit_status is not None, PATIENCE_S)
        assert ended, f"it serves:\n{process.tail()}"
        assert process.exit_status == 1, process.tail()
        return process.log.read_text(encoding="utf-8")
    finally:
        process.stop()


@contextmanager
def serving(process: Process, url: str) -> Iterator[None]:
    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    process.start()
    try:
        assert wait_until(lambda: ready() or process.exit_status is not None, PATIENCE_S)
        assert process.exit_status is None, process.tail()
        yield
    finally:
        process.stop()


@pytest.mark.parametrize("way", ["environment", "option"])
def test_open_webhooks_are_refused_wherever_gunicorn_is_told_to_bind(
    tmp_path: Path, way: str
) -> None:
    everywhere = f"--bind={ANYWHERE}:{free_port()}"
    said = refusal(
        web(tmp_path, OPEN_WEBHOOKS="1", GUNICORN_CMD_ARGS=everywhere)
        if way == "environment"
        else web(tmp_path, everywhere, OPEN_WEBHOOKS="1")
    )
    assert f"OPEN_WEBHOOKS is set and web would listen on {ANYWHERE}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "runbookd.db").exists(), "it is refused before anything is made"


def test_a_misspelt_api_token_is_refused_beyond_loopback_and_the_right_name_is_told(
    tmp_path: Path,
) -> None:
    port = str(free_port())
    said = refusal(
        web(tmp_path, HOST=ANYWHERE, PORT=port, ALERTMANAGER_TOKENS=TOKEN, API_TOKEN=TOKEN)
    )
    assert "API_TOKENS is not set and web would listen on 0.0.0.0" in said
    assert "API_TOKEN is not a setting; did you mean API_TOKENS?" in said
    assert TOKEN not in said


def test_an_inherited_socket_is_judged_by_where_it_listens(tmp_path: Path) -> None:
    with socket.create_server((ANYWHERE, 0)) as listening:
        listening.set_inheritable(True)
        number = listening.fileno()
        process = web(tmp_path, f"--bind=fd://{number}", OPEN_WEBHOOKS="1")
        process.inherit = (number,)
        said = refusal(process)
    assert f"web would listen on {ANYWHERE}" in said


def test_a_short_secret_is_refused_by_a_new_installation_and_told_by_one_that_had_it(
    tmp_path: Path,
) -> None:
    port = free_port()
    given = {"HOST": ANYWHERE, "PORT": str(port), "ALERTMANAGER_TOKENS": "x", "API_TOKENS": TOKEN}
    assert "ALERTMANAGER_TOKENS holds a secret of fewer" in refusal(web(tmp_path, **given))

    stores = Stores(load_settings({"RUNBOOKD_HOME": str(tmp_path)}))
    FactStore(stores.engine).put(SHORT_SECRETS, "kept")
    stores.engine.dispose()
    process = web(tmp_path, **given)
    with serving(process, f"http://127.0.0.1:{port}"):
        said = process.log.read_text(encoding="utf-8")
    assert "It is still taken, and will be refused by the next minor version." in said


def test_the_ipv6_loopback_may_be_open_like_the_other(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    process = web(tmp_path, OPEN_WEBHOOKS="1", HOST="::1", PORT=str(port))
    with serving(process, f"http://[::1]:{port}"):
        assert httpx.get(f"http://[::1]:{port}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"OPEN_WEBHOOKS": "1", "API_TOKENS": TOKEN}, "OPEN_WEBHOOKS is set"),
        ({"ALERTMANAGER_TOKENS": TOKEN}, "API_TOKENS is not set"),
    ],
)
def test_under_a_server_whose_addresses_are_not_known_nothing_is_open(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=sentence):
        create()


def test_web_starts_with_the_last_good_rules_and_refuses_only_where_there_are_none(
    tmp_path: Path,
) -> None:
    rules, port = tmp_path / "rules.yml", free_port()
    rules.write_text("rules: 7\n")
    given = {"PORT": str(port), "ALERTMANAGER_TOKENS": TOKEN, "RULES": str(rules)}
    url = f"http://127.0.0.1:{port}"
    assert f"{rules}:1: " in refusal(web(tmp_path, **given))

    rules.write_text(RULES)
    with serving(web(tmp_path, **given), url):
        pass
    rules.write_text("rules: 7\n")
    process = web(tmp_path, **given)
    with serving(process, url):
        said = process.log.read_text(encoding="utf-8")
    assert "rules_refused" in said
    assert f"{rules}:1: " in said
