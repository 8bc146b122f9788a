"""The verbs of people in the terminal, on the local store and through a running service."""

from __future__ import annotations

import json
import os
import pwd
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.serving import make_server

from service.bootstrap.startup import migrate
from service.bootstrap.web import build_web
from service.cli import acting
from service.settings import load_settings
from service.store import schema
from service.store.database import open_engine
from service.store.runs import RunStore
from service.web.app import create_app
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine, Said

TOKENS = (
    "olga:operator:test-olga-0123456789,vera:viewer:test-vera-0123456789,"
    "ada:admin:test-ada-0123456789"
)


ADA = {"RUNBOOKD_TOKEN": "test-ada-0123456789"}


class Terminal:
    """Types at one of the two: the local store, or a service that knows olga and vera."""

    def __init__(self, line: CommandLine, env: dict[str, str]) -> None:
        self.line, self.env = line, env

    def __call__(self, *arguments: str, **env: str) -> Said:
        return self.line(*arguments, env={**self.env, **env})


@pytest.fixture
def rule_files() -> str:
    """The setting RULES."""
    return str(ROOT / "rules" / "quizmentor.yml")


@pytest.fixture(params=["local", "http"])
def terminal(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    rule_files: str,
) -> Iterator[Terminal]:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)
    env = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path), "RULES": rule_files}
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
    capsys.readouterr()  # the log of the service, which is in this process here
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
        "id", "kind", "target", "rule", "direction", "action", "pin", "by", "why", "since",
        "until", "going_on",
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


def test_every_option_of_a_run_reaches_the_service_and_the_local_store(
    terminal: Terminal, tmp_path: Path
) -> None:
    asked = ("run", "horizontal_scale", "api", "--to", "replicas=5", "--why", "an exam", "--yes")
    options = ("--for", "4h", "--pin", "--override", "it is urgent")
    assert terminal(*asked, *options).status == 0
    url = load_settings({"RUNBOOKD_HOME": str(tmp_path)}).effective_database_url
    engine = open_engine(url)
    found = RunStore(engine, lambda _connection, _run: None).get("api.person.1")
    engine.dispose()
    assert found is not None
    kept = found.request
    assert (kept.hold_s, kept.pin, kept.override) == (14_400.0, True, "it is urgent")


def test_the_options_of_a_purge_reach_the_service_and_the_local_store(
    terminal: Terminal,
) -> None:
    """The pack has no zone. So the answer is about the target, once the options were read."""
    said = terminal("run", "purge", "api", "--with", "tags=news", "--why", "x", "--yes")
    assert (said.status, "purge cannot change api" in said.err) == (2, True), said.err
    said = terminal("run", "purge", "api", "--with", "tags", "--why", "x", "--yes")
    assert (said.status, "must be a name and a value" in said.err) == (2, True), said.err


def test_a_lock_and_a_hold_are_released_together(terminal: Terminal) -> None:
    assert terminal("lock", "api", "--for", "1h", "--why", "moving it", "--yes").status == 0
    assert terminal("hold", "api", "--why", "five by hand", "--yes").status == 0
    pinned = terminal("hold", "api", "--why", "the exam", "--pin", "--yes", "--json")
    assert json.loads(pinned.out)["pin"] is True
    released = terminal("release", "api")
    assert [kind in released.out for kind in ("the hold of api", "the lock of api")] == [True, True]


def test_a_viewer_is_told_which_role_is_needed(terminal: Terminal) -> None:
    if "RUNBOOKD_URL" not in terminal.env:
        pytest.skip("whoever types beside the store has every role")
    said = terminal(*PAUSE, RUNBOOKD_TOKEN="test-vera-0123456789")
    assert (said.status, "vera needs the role operator" in said.err) == (1, True)


OF_RUN = ("run", "horizontal_scale", "api", "--why", "x", "--yes")
DOWN = ("--why", "x", "--yes")
NOT_UTF8 = "api\udcff"
"""As Python hands over an argument that is no UTF-8."""
BAD = [
    ((*OF_RUN, "--to", "replicas=--5"), "replicas must be a whole number, not '--5'."),
    ((*OF_RUN, "--to", "replicas=-5"), "replicas must be a whole number, not -5."),
    ((*OF_RUN, "--to", "replicas=5.5"), "replicas must be a whole number, not '5.5'."),
    ((*OF_RUN, "--to", "replicas=5=6"), "replicas must be a whole number, not '5=6'."),
    ((*OF_RUN, "--to", "replicas=٥"), "replicas must be a whole number"),
    ((*OF_RUN, "--to", f"replicas={'9' * 5_000}"), "replicas must be a whole number"),
    ((*OF_RUN, "--to", "replicas=251"), "replicas: at most 250"),
    ((*OF_RUN, "--to", "replicas=5", "--to", "replicas=6"), "--to names replicas twice."),
    ((*OF_RUN, "--to", "=5"), "must be a name and a value"),
    ((*OF_RUN, "--to", "size=huge"), "horizontal_scale changes replicas, not size."),
    (("run", "vertical_scale", "api", *DOWN, "--to", "size=--"), "size '--' is not on the ladder"),
    ((*OF_RUN, "--step", "--5"), "Try 'runbookd run --help' for help."),
    ((*OF_RUN, "--step", "9" * 26), "at most 250 steps"),
    ((*OF_RUN, "--step", "0"), "0 steps change nothing"),
    ((*OF_RUN, "--step", "1", "--to", "replicas=5"), "not both"),
    ((*OF_RUN,), "Say either to what"),
    (("run", "explode", "api", "--step", "1", *DOWN), "There is no action 'explode'"),
    (("run", "horizontal_scale", "api", "--step", "1", "--why", " ", "--yes"), "why: say in a few"),
    ((*OF_RUN, "--step", "1", "--override", " "), "why: say in a few"),
    (("pause", "api", "--for", "-5m", *DOWN), "is not a duration"),
    (("pause", "api", "--for", f"{'9' * 5_000}d", *DOWN), "is longer than 30d"),
    (("pause", "api", "--for", "1h", "--why", "\udcff", "--yes"), "'\\udcff' on the command line"),
    (("pause", "a/b", "--for", "1h", *DOWN), "There is no target 'a/b'"),
    (("pause", "api", "--for", "1h", "--rule", "none", *DOWN), "There is no rule 'none'"),
    (("resume", ""), "A name on the command line is empty. Nothing was done."),
    (("resume", "all"), "For every target say --all."),
    (("resume", "a/b"), "There is no target 'a/b'"),
    (("resume", ".."), "There is no target '..'"),
    (("resume", NOT_UTF8), "is not UTF-8"),
    (("unlock", ""), "is empty"),
    (("release", " "), "is empty"),
    (("lock", "", "--for", "1h", *DOWN), "is empty"),
    (("cancel", "", *DOWN), "is empty"),
    (("cancel", NOT_UTF8, *DOWN), "is not UTF-8"),
    (("retry", "", "--yes"), "is empty"),
    (("undo", "", "--yes"), "is empty"),
    (("approve", ""), "is empty"),
    (("promote", "", *DOWN), "is empty"),
    (("promote", NOT_UTF8, *DOWN), "is not UTF-8"),
    (("promote", "high-cpo", *DOWN), "There is no rule 'high-cpo'. There is high-cpu,"),
    (("promote", "high-cpu", *DOWN), "Rule high-cpu has not demoted itself"),
    (("promote", "high-cpu", "--why", " ", "--yes"), "why: say in a few"),
    (("promote", "high-cpu", "--why", "x"), "say --yes"),
    (("reject", NOT_UTF8), "is not UTF-8"),
    (("token", "new", "e e", "--role", "viewer"), "must be 1 to 63 letters"),
    (("token", "new", "eve", "--role", "boss"), "There is no role 'boss'. Roles are viewer,"),
    (("token", "new", "eve", "--role", "viewer", "--for", "x"), "is not a duration"),
    (("token", "revoke", "", "--yes"), "is empty"),
    (("audit", "--who", NOT_UTF8), "is not UTF-8"),
]


def test_bad_input_is_told_and_ends_with_status_2_and_changes_nothing(terminal: Terminal) -> None:
    terminal.env.pop("RUNBOOKD_TOKEN", None)
    for arguments, sentence in BAD:
        said = terminal(*arguments, **ADA)
        assert (said.status, said.out) == (2, ""), (arguments, said)
        assert sentence in " ".join(said.err.split()), (arguments, said.err)
        assert "Traceback" not in said.err
    assert "Nobody has changed anything yet." in terminal("audit", **ADA).out


@pytest.mark.parametrize("name", ["a/b", "..", "a//b", "a?b#c", "%2F"])
def test_what_is_not_there_is_status_1_whatever_it_is_called(terminal: Terminal, name: str) -> None:
    for verb in (("cancel", name, *DOWN), ("retry", name, "--yes"), ("undo", name, "--yes")):
        said = terminal(*verb)
        assert (said.status, said.err) == (1, f"There is no run '{name}'.\n")
    said = terminal("approve", name)
    assert (said.status, said.err) == (1, f"There is no approval '{name}'.\n")


def test_a_rule_that_has_demoted_itself_is_shown_and_promoted(
    terminal: Terminal, tmp_path: Path
) -> None:
    engine = open_engine(load_settings({"RUNBOOKD_HOME": str(tmp_path)}).effective_database_url)
    with engine.begin() as connection:
        row = {"id": "m-1", "rule": "high-cpu", "mode": "approve", "since": 1.0, "why": "few help"}
        connection.execute(sa.insert(schema.demotions), row)
    engine.dispose()
    shown = terminal("status")
    assert "rule high-cpu has demoted itself to approve, " in shown.out
    assert "few help. To let it act again: runbookd promote high-cpu --why WHY" in shown.out
    made = terminal("promote", "high-cpu", "--why", "it helps", "--yes", **ADA)
    assert (made.status, "Rule high-cpu is promoted. It was in mode approve" in made.out) == (
        0,
        True,
    ), made
    assert "demoted" not in terminal("status").out
    assert "promote" in terminal("audit", **ADA).out


def test_what_people_say_why_is_shown_by_the_audit(terminal: Terminal) -> None:
    terminal(*PAUSE)
    assert terminal("resume", "api", "--why", "it is over").status == 0
    run = (*OF_RUN, "--step", "1", "--override", "the exam is now")
    assert terminal(*run).status == 0
    told = terminal("audit").out
    assert "it is over" in told
    assert "x (overriding: the exam is now)" in told


def test_the_audit_is_filtered_by_who_and_subject(terminal: Terminal) -> None:
    terminal(*PAUSE)
    terminal("hold", "database", "--why", "by hand", "--yes")
    who = json.loads(terminal("audit", "--json").out)["items"][0]["who"]
    about = json.loads(terminal("audit", "--who", who, "--subject", "api", "--json").out)["items"]
    assert [(each["verb"], each["outcome"]) for each in about] == [("pause", "done")]
    none = terminal("audit", "--who", "nobody")
    assert none.out == "There is nothing on record that fits.\n"


def test_a_token_for_ninety_days_is_made_in_the_terminal(terminal: Terminal) -> None:
    made = terminal("token", "new", "eve", "--role", "operator", "--for", "90d", **ADA)
    assert (made.status, made.out.splitlines()[-1].startswith("rbd_")) == (0, True)
    assert terminal("token", "revoke", "eve", "--yes", **ADA).status == 0
    assert terminal("token", "new", "eve", "--role", "viewer", **ADA).status == 0


def test_who_types_is_the_systems_user_whatever_the_environment_says(
    terminal: Terminal,
) -> None:
    if "RUNBOOKD_URL" in terminal.env:
        pytest.skip("a service knows people by their tokens")
    forged = {"LOGNAME": "root2", "USER": "root2", "LNAME": "root2", "USERNAME": "root2"}
    assert terminal(*PAUSE, **forged).status == 0
    (entry,) = json.loads(terminal("audit", "--json").out)["items"]
    assert entry["who"] == f"local:{pwd.getpwuid(os.getuid()).pw_name}"


def test_whoever_was_refused_is_shown_with_the_outcome(terminal: Terminal) -> None:
    if "RUNBOOKD_URL" not in terminal.env:
        pytest.skip("whoever types beside the store has every role")
    terminal(*PAUSE, RUNBOOKD_TOKEN="test-vera-0123456789")
    told = terminal("audit").out
    assert "POST: forbidden" in told
    assert "vera needs the role operator" in told


def test_whoever_waits_without_a_worker_is_told_so_and_the_wait_ends(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "_TOLD_AFTER_S", -1.0)
    monkeypatch.setattr(acting, "LONGEST_WAIT_S", 0.2)
    monkeypatch.setattr(acting, "_LOOK_S", 0.05)
    said = terminal("run", "horizontal_scale", "api", "--to", "replicas=5", "--plan")
    told, ended = said.err.splitlines()
    assert told == (
        "Run api.plan.1 is queued, and no worker is alive: start `runbookd worker`. "
        "Ctrl-C ends this wait, and not the run."
    )
    assert (said.status, "is still queued after" in ended) == (1, True)


TELL = ("run", "tell", "--with", "channels=#ops", "--with", "channels=#web", "--with", "text=Hello")


def test_what_changes_no_target_is_asked_for_without_one(terminal: Terminal) -> None:
    told = terminal(*TELL, "--why", "a big exam", "--yes")
    assert (told.status, told.out) == (
        0,
        "Queued: run tell.person.1. `runbookd runs tell.person.1` shows it.\n",
    )
    branch = 'cpu={"action": "horizontal_scale", "target": "api", "with": {"step": 2}}'
    decided = terminal("run", "decide", "--with", branch, "--why", "it is slow", "--yes")
    assert "run decide.person.1" in decided.out
    watched = terminal(
        *("run", "watch", "api", "--with", "for=2h", "--with", "readings=cpu > 80"),
        *("--why", "after the exam", "--yes"),
    )
    assert "Queued: run watch.person.1 on api." in watched.out
    shown = terminal("runs", "watch.person.1").out
    assert "watch.person.1: queued, after the exam" in shown
    explained = terminal("explain", "tell.person.1")
    assert explained.status == 0, explained.err
    admin = {} if "RUNBOOKD_URL" not in terminal.env else ADA
    did = json.loads(terminal("audit", "--json", **admin).out)["items"]
    assert [(each["verb"], each["subject"]) for each in did] == [
        ("run", "api"),
        ("run", "decide"),
        ("run", "tell"),
    ]
    assert did[2]["what"]["options"]["channels"] == ["#ops", "#web"]


def test_bad_options_of_what_changes_no_target_are_one_sentence(terminal: Terminal) -> None:
    asks = ("--why", "x", "--yes")
    for words, sentence in (
        ((*TELL[:4], *asks), "tell needs text"),
        (("run", "tell", "api", *TELL[2:], *asks), "tell takes no target"),
        (("run", "watch", *asks), "watch needs for: how long it watches"),
        (("run", "decide", "--with", "cpu={", *asks), "is no JSON"),
        (("run", "horizontal_scale", "--step", "1", *asks), "must know what to change"),
    ):
        said = terminal(*words)
        assert (said.status, sentence in said.err) == (2, True), said.err
    assert "There are no such runs." in terminal("runs").out


def test_before_a_message_goes_out_its_sender_is_asked(terminal: Terminal) -> None:
    said = terminal(*TELL, "--why", "a big exam")
    assert said.status == 2
    assert "This asks for tell: channels=#ops, channels=#web, text=Hello." in said.err
