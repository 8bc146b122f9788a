"""The verbs of people in the terminal, on the local store and through a running service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from service.bootstrap.startup import migrate
from service.bootstrap.web import build_web
from service.settings import load_settings
from service.web.app import create_app
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine, Said

TOKENS = "olga:operator:test-olga-0123456789,vera:viewer:test-vera-0123456789"


class Terminal:
    """Types at one of the two: the local store, or a service that knows olga and vera."""

    def __init__(self, line: CommandLine, env: dict[str, str]) -> None:
        self.line, self.env = line, env

    def __call__(self, *arguments: str, **env: str) -> Said:
        return self.line(*arguments, env={**self.env, **env})


@pytest.fixture(params=["local", "http"])
def terminal(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Terminal]:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)
    rules = ROOT / "rules" / "quizmentor.yml"
    env = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path), "RULES": str(rules)}
    migrate(load_settings(env))
    line = CommandLine(monkeypatch, capsys)
    if request.param == "local":
        yield Terminal(line, env)
        return
    settings = load_settings({**env, "OPEN_WEBHOOKS": "1", "API_TOKENS": TOKENS})
    server = make_server("127.0.0.1", 0, create_app(build_web(settings)), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield Terminal(line, {"RUNBOOKD_URL": address, "RUNBOOKD_TOKEN": "test-olga-0123456789"})
    server.shutdown()
    thread.join()


PAUSE = ("pause", "api", "--for", "30m", "--why", "the vendor is down", "--yes")


def test_a_pause_is_made_shown_and_ended(terminal: Terminal) -> None:
    made = terminal(*PAUSE)
    assert (made.status, "api is paused until in 30 min" in made.out) == (0, True)
    shown = terminal("status")
    assert "api is paused, ends in 30 min" in shown.out
    ended = terminal("resume", "api")
    assert (ended.status, "Ended: the pause of api" in ended.out) == (0, True)
    assert terminal("resume", "api").status == 1


def test_json_is_the_same_on_both(terminal: Terminal) -> None:
    made = json.loads(terminal(*PAUSE, "--json").out)
    assert set(made) == {
        "id", "kind", "target", "rule", "direction", "action", "by", "why", "since", "until",
        "going_on",
    }  # fmt: skip
    assert (made["kind"], made["target"], made["going_on"]) == ("pause", "api", [])


def test_a_run_is_queued_cancelled_and_audited(terminal: Terminal) -> None:
    asked = terminal(
        "run", "horizontal_scale", "api", "--to", "replicas=5", "--why", "exam", "--yes"
    )
    assert (asked.status, "Queued: run api.person.1 on api" in asked.out) == (0, True)
    stopped = terminal("cancel", "api.person.1", "--why", "wrong", "--yes")
    assert (stopped.status, "stops before its next step" in stopped.out) == (0, True)
    audit = terminal("audit")
    assert [word in audit.out for word in ("cancel", "run", "exam", "wrong")] == [True] * 4


def test_without_yes_and_without_anybody_to_ask_nothing_is_done(terminal: Terminal) -> None:
    said = terminal(*PAUSE[:-1])
    assert (said.status, "say --yes" in said.err) == (2, True)
    assert "Nobody has changed anything yet." in terminal("audit").out


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("pause", "apo", "--for", "1h", "--why", "x", "--yes"), 2, "There is no target 'apo'"),
        (("pause", "--for", "1h", "--why", "x", "--yes"), 2, "Name a target, or say --all"),
        (("pause", "api", "--for", "soon", "--why", "x", "--yes"), 2, "is not a duration"),
        (("run", "horizontal_scale", "api", "--to", "replicas", "--why", "x", "--yes"), 2,
         "must be a name and a value"),
        (("run", "horizontal_scale", "api", "--to", "replicas=5", "--yes"), 2, "Say why with"),
        (("undo", "api.out.9", "--yes"), 1, "There is no run 'api.out.9'"),
        (("approve", "q-9"), 1, "There is no approval 'q-9'"),
        (("unlock", "api"), 1, "api is not locked by anybody"),
        (("release", "api"), 1, "api is not held or locked"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_an_exit_status(
    terminal: Terminal, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    said = terminal(*arguments)
    assert (said.status, sentence in said.err) == (status, True), said.err


def test_a_lock_and_a_hold_are_released_together(terminal: Terminal) -> None:
    assert terminal("lock", "api", "--for", "1h", "--why", "moving it", "--yes").status == 0
    assert terminal("hold", "api", "--why", "five by hand", "--yes").status == 0
    released = terminal("release", "api")
    assert [kind in released.out for kind in ("the hold of api", "the lock of api")] == [True, True]


def test_a_viewer_is_told_which_role_is_needed(terminal: Terminal) -> None:
    if "RUNBOOKD_URL" not in terminal.env:
        pytest.skip("whoever types beside the store has every role")
    said = terminal(*PAUSE, RUNBOOKD_TOKEN="test-vera-0123456789")
    assert (said.status, "vera needs the role operator" in said.err) == (1, True)
