"""The application's database in the terminal: what is asked for, refused and looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.bootstrap.startup import migrate
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports.runs import Outcome
from service.settings import load_settings
from service.store.database import open_engine
from service.store.ledger import LedgerStore
from service.store.runs import RunStore
from tests.unit.cli.commandline import CommandLine, Said

RULES = """\
targets:
  app:
    kind: app_database
    roles: [quiz_app]
    flags: {table: feature_flags, names: [advanced_analytics, ai_recommendations]}
rules:
  - {name: slow, match: [alertname=Slow], action: kill_queries, target: app, cooldown: 10m}
"""
RUN = ("run", "kill_queries", "app")
WHY = ("--why", "the exam is slow", "--yes")


class Terminal:
    """Types beside the local store."""

    def __init__(self, line: CommandLine, home: Path) -> None:
        rules = home / "rules.yml"
        rules.write_text(RULES, encoding="utf-8")
        self.env = {"RUNBOOKD_HOME": str(home), "RULES": str(rules)}
        self.settings = load_settings(self.env)
        migrate(self.settings)
        self._line = line

    def __call__(self, *arguments: str, **env: str) -> Said:
        return self._line(*arguments, env={**self.env, **env})

    def queued(self, run: str) -> Request:
        """What a run has pinned."""
        engine = open_engine(self.settings.effective_database_url, pool_size=1)
        found = RunStore(engine, lambda _connection, _run: None).get(run)
        engine.dispose()
        assert found is not None
        return found.request


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Terminal:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    return Terminal(CommandLine(monkeypatch, capsys), tmp_path)


def test_a_person_gives_the_options_of_an_action(terminal: Terminal) -> None:
    said = terminal(*RUN, "--with", "older_than=60s", "--with", "most=5", *WHY, "--json")
    assert said.status == 0, said
    request = terminal.queued(json.loads(said.out)["id"])
    assert request.options == {"older_than": "60s", "idle_older_than": "5m", "most": 5}
    assert request.wanted == ()
    assert request.hold_s == 0.0, "there is no value to hold"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--with", "older_than=1s"), "older_than is a duration of 5s to 1d, such as 30s"),
        (("--with", "sql=SELECT 1"), "unknown key sql; kill_queries takes older_than"),
        (("--with", "most"), "must be a name and a value, such as most=5"),
        (("--with", "most=1", "--with", "most=2"), "most: Input should be a valid integer"),
        (("--step", "1"), "kill_queries takes neither `to` nor `step`: it moves nothing."),
        (("--for", "4h"), "kill_queries sets no value, so for and pin have nothing to hold"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_queued(
    terminal: Terminal, given: tuple[str, ...], sentence: str
) -> None:
    said = terminal(*RUN, *given, *WHY)
    assert said.status != 0
    assert sentence in said.err
    assert json.loads(terminal("runs", "--json").out)["items"] == []


def test_what_was_ended_cannot_be_undone_and_a_retry_keeps_its_options(
    terminal: Terminal,
) -> None:
    asked = terminal(*RUN, "--with", "most=7", *WHY, "--json")
    run = json.loads(asked.out)["id"]
    _end(terminal, run)
    undone = terminal("undo", run, "--yes")
    assert undone.status != 0
    assert f"Run {run} cannot be undone: a session that was ended is gone" in undone.err
    shown = terminal("runs", run).out
    assert "undo it" not in shown
    assert "No downtime at all." in shown
    again = json.loads(terminal("retry", run, "--yes", "--json").out)["id"]
    assert terminal.queued(again).options["most"] == 7


def _end(terminal: Terminal, run: str) -> None:
    """The run has planned, and failed."""
    engine = open_engine(terminal.settings.effective_database_url, pool_size=1)
    store = RunStore(engine, lambda _connection, _run: None)
    store.begin(run, 1.0)
    store.set_plan(
        run, Plan("sessions", "pid 1", "ended", ("cancel",), {}, downtime="No downtime at all.")
    )
    store.conclude(run, Outcome("failed", "cancel failed", 2.0), 2.0)
    engine.dispose()


FLAGS = {"advanced_analytics": False, "ai_recommendations": False}


def _flags_set(terminal: Terminal) -> str:
    """A run that has switched two flags off; its id."""
    off = [word for name in FLAGS for word in ("--with", f"disable={name}")]
    run: str = json.loads(terminal("run", "set_flags", "app", *off, *WHY, "--json").out)["id"]
    place = {"table": "public.feature_flags", "key": "key", "value": "enabled"}
    wanted = {"place": place, "was": dict.fromkeys(FLAGS, True), "to": FLAGS}
    engine = open_engine(terminal.settings.effective_database_url, pool_size=1)
    store = RunStore(engine, lambda _connection, _run: None)
    store.begin(run, 1.0)
    store.set_plan(run, Plan("flags", "on", "off", ("set_flags",), wanted))
    store.conclude(run, Outcome("succeeded", "done", 2.0), 2.0)
    engine.dispose()
    return run


def _seen(terminal: Terminal, **values: str) -> None:
    """A look has shown these flags."""
    engine = open_engine(terminal.settings.effective_database_url, pool_size=1)
    LedgerStore(engine).saw("app", {f"flag {name}": at for name, at in values.items()}, 3.0, 3.0)
    engine.dispose()


def test_an_undo_is_taken_where_a_person_is_known_to_have_changed_one_flag_of_two(
    terminal: Terminal,
) -> None:
    run = _flags_set(terminal)
    _seen(terminal, ai_recommendations="on")
    undone = terminal("undo", run, "--yes", "--json")
    assert undone.status == 0, undone
    request = terminal.queued(json.loads(undone.out)["id"])
    assert {each.attribute: each.to for each in request.wanted} == {
        "flag advanced_analytics": "on",
        "flag ai_recommendations": "on",
    }


def test_an_undo_is_refused_where_a_person_is_known_to_have_changed_all_of_it(
    terminal: Terminal,
) -> None:
    run = _flags_set(terminal)
    _seen(terminal, ai_recommendations="on", advanced_analytics="on")
    undone = terminal("undo", run, "--yes")
    assert undone.status != 0
    assert "it was changed since, and is left as it is" in undone.err


def test_doctor_says_that_a_target_is_off_until_its_setting_is_given(terminal: Terminal) -> None:
    said = " ".join(terminal("doctor").out.split())
    assert "target app note off: APP_DATABASE_URL is not set" in said


def test_doctor_says_what_is_wrong_with_the_address(terminal: Terminal) -> None:
    address = "postgresql://a:hidden-word@127.0.0.1:1/app"
    said = terminal("doctor", APP_DATABASE_URL=address)
    shown = " ".join(said.out.split())
    assert "target app wrong PostgreSQL took no request to look at the sessions" in shown
    assert "hidden-word" not in said.out + said.err
