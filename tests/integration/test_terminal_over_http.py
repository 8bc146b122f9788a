"""The terminal on a laptop: the same answers through the API as on the local store."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from service.bootstrap.startup import migrate
from service.bootstrap.stores import Stores
from service.bootstrap.web import build_web
from service.cli.remote import RemoteReader
from service.domain.filters import BadFilter
from service.domain.readings.readings import HOUR_S, beginning, reading_of
from service.settings import load_settings
from service.store.readings import ReadingStore
from service.web.app import create_app
from tests.integration.payloads import alert, named, notification
from tests.processes import ROOT, free_port
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine, Said

TOKEN = "laptop-token-not-real"
QUARANTINED = alert(status="exploded")


@pytest.fixture
def runbookd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)
    return CommandLine(monkeypatch, capsys)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a terminal beside a store with some alerts and runs."""
    home = tmp_path_factory.mktemp("home")
    rules = ROOT / "rules" / "quizmentor.yml"
    found = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(home), "RULES": str(rules)}
    settings = load_settings({**found, "OPEN_WEBHOOKS": "1"})
    migrate(settings)
    client = create_app(build_web(settings)).test_client()
    for payload in (
        notification(alert("01"), alert("02"), QUARANTINED),
        notification(named("Disk Full", "03")),
        notification(alert("02", status="resolved")),
    ):
        assert client.post("/webhooks/alertmanager", json=payload).status_code == 200
    stores, hour = Stores(settings), beginning(time.time(), HOUR_S)
    ReadingStore(stores.engine).keep(
        [
            reading_of(metric, target, hour - n * HOUR_S, [10.0 + n])
            for metric, target in (("cpu", ""), ("instances", "api"))
            for n in range(150)
        ],
        [],
    )
    stores.engine.dispose()
    return found


@pytest.fixture(scope="module")
def url(local: dict[str, str]) -> Iterator[str]:
    """The same store behind a web process that wants a token."""
    settings = load_settings({**local, "OPEN_WEBHOOKS": "1", "API_TOKENS": TOKEN})
    server = make_server("127.0.0.1", 0, create_app(build_web(settings)), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def away(url: str) -> dict[str, str]:
    """The environment of a laptop: no store, no rules, no ids."""
    return {"RUNBOOKD_URL": url, "RUNBOOKD_TOKEN": TOKEN, "RUNBOOKD_HOME": "/nonexistent"}


READS: list[tuple[str, ...]] = [
    ("runs",),
    ("runs", "--target", "api"),
    ("runs", "--status", "queued", "--action", "horizontal_scale"),
    ("runs", "--target", "database"),
    ("runs", "api.out.1"),
    ("alerts",),
    ("alerts", "--firing"),
    ("alerts", "--resolved", "--source", "alertmanager", "--limit", "1"),
    ("alerts", "--name", "Disk Full", "--since", "2h"),
    ("alerts", "--until", "2020-01-01"),
    ("quarantine",),
    ("readings",),
    ("readings", "cpu"),
    ("readings", "instances", "--target", "api", "--hours", "--since", "2026-01-01"),
    ("explain", "--last"),
    ("explain", "api.out.1"),
    ("explain", "High CPU Usage"),
    ("status",),
    ("status", "api"),
    ("levels", "--at", "2026-11-01T00:00:00Z", "--days", "3"),
]


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_a_command_answers_the_same_through_the_api_as_on_the_store(
    runbookd: CommandLine, local: dict[str, str], away: dict[str, str], arguments: tuple[str, ...]
) -> None:
    here, there = (runbookd(*arguments, "--json", env=env) for env in (local, away))
    assert (here.status, there.status) == (0, 0), there.err
    assert _still(json.loads(there.out)) == _still(json.loads(here.out))


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_a_person_reads_the_same_through_the_api_as_on_the_store(
    runbookd: CommandLine, local: dict[str, str], away: dict[str, str], arguments: tuple[str, ...]
) -> None:
    here, there = (runbookd(*arguments, env=env).out for env in (local, away))
    assert there.splitlines()[0] == here.splitlines()[0]
    assert len(there.splitlines()) == len(here.splitlines()) > 0


def _still(value: dict[str, Any]) -> dict[str, Any]:
    """Without what changes from one look to the next."""
    return {name: each for name, each in value.items() if name != "at"}


def test_json_is_the_apis_own_value(runbookd: CommandLine, url: str, away: dict[str, str]) -> None:
    told = json.loads(runbookd("status", "--json", env=away).out)
    read = RemoteReader(url, TOKEN).status(None)
    assert _still(told) == _still(read)
    assert list(told["targets"]) == ["api", "worker-vm", "database"]
    assert set(told["targets"]["api"]) >= {"present", "cooldowns", "under_way", "last_run"}


UNKNOWN = [
    (("runs", "--status", "faild"), "queued, running, succeeded, held, failed"),
    (("runs", "--target", "apy"), "api, worker-vm, database"),
    (("runs", "--action", "explode"), "horizontal_scale, vertical_scale, set_capacity"),
    (("alerts", "--source", "nagios"), "alertmanager, grafana"),
    (("status", "apy"), "api, worker-vm, database"),
    (("alerts", "--since", "soon"), "2h, 30m"),
    (("alerts", "--until", "soon"), "2h, 30m"),
    (("alerts", "--limit", "201"), "200"),
    (("quarantine", "--limit", "0"), "1"),
    (("explain",), "--last"),
]


@pytest.mark.parametrize("where", ["local", "away"])
@pytest.mark.parametrize(("arguments", "known"), UNKNOWN, ids=str)
def test_a_filter_value_that_is_unknown_is_a_usage_error_that_names_the_known_ones(
    runbookd: CommandLine,
    request: pytest.FixtureRequest,
    where: str,
    arguments: tuple[str, ...],
    known: str,
) -> None:
    said = runbookd(*arguments, env=request.getfixturevalue(where))
    assert said.status == 2
    assert known in " ".join(said.err.split())
    assert said.out == ""


def test_a_replay_of_an_unknown_sender_is_a_usage_error(
    runbookd: CommandLine, local: dict[str, str]
) -> None:
    said = runbookd("replay", "--source", "nagios", env=local)
    assert (said.status, "alertmanager, grafana" in said.err) == (2, True)


@pytest.mark.parametrize("what", [("runs", "no.such.1"), ("explain", "no such name")])
def test_what_is_not_there_is_told_alike(
    runbookd: CommandLine, local: dict[str, str], away: dict[str, str], what: tuple[str, ...]
) -> None:
    here, there = (runbookd(*what, env=env) for env in (local, away))
    assert (there.status, there.err) == (here.status, here.err)
    assert there.status == 1


def test_the_address_on_the_command_line_goes_before_the_one_of_the_environment(
    runbookd: CommandLine, url: str
) -> None:
    other = f"http://127.0.0.1:{free_port()}"
    env = {"RUNBOOKD_URL": other, "RUNBOOKD_TOKEN": TOKEN}
    assert runbookd("runs", env=env).status == 1
    assert runbookd("runs", "--url", url, env=env).status == 0


def test_an_empty_address_is_the_local_store(runbookd: CommandLine, local: dict[str, str]) -> None:
    env = {**local, "RUNBOOKD_URL": "http://127.0.0.1:1"}
    assert runbookd("runs", "--url", "", env=env).status == 0


def test_a_token_may_be_in_a_file_of_either_form(
    runbookd: CommandLine, url: str, tmp_path: Path
) -> None:
    held = tmp_path / "token"
    held.write_text(f"{TOKEN}\n", encoding="utf-8")
    assert runbookd("runs", "--url", url, "--token-file", str(held)).status == 0
    assert runbookd("runs", "--url", url, env={"RUNBOOKD_TOKEN_FILE": str(held)}).status == 0
    missing = runbookd("runs", "--url", url, "--token-file", str(tmp_path / "none"))
    assert missing.status == 1
    assert f"--token-file names {tmp_path / 'none'}, which cannot be read" in missing.err


def test_a_token_for_nobody_is_a_usage_error(runbookd: CommandLine, tmp_path: Path) -> None:
    said = runbookd("runs", "--token-file", str(tmp_path / "token"))
    assert (said.status, "name it with --url or RUNBOOKD_URL" in said.err) == (2, True)


def test_no_option_takes_a_token(runbookd: CommandLine) -> None:
    assert runbookd("runs", "--token", TOKEN).status == 2


def test_without_its_token_the_service_says_no_and_how_to_give_it(
    runbookd: CommandLine, url: str
) -> None:
    none = runbookd("runs", "--url", url)
    assert none.status == 1
    assert "does not let this terminal in (401)" in none.err
    assert "It wants a token." in none.err
    assert "Set RUNBOOKD_TOKEN" in none.err
    wrong = runbookd("runs", "--url", url, env={"RUNBOOKD_TOKEN": "another-not-real"})
    assert "The token is not one of its API_TOKENS." in wrong.err
    assert "another-not-real" not in wrong.err


def test_where_nothing_listens_it_is_told_in_a_sentence(runbookd: CommandLine) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    said = runbookd("status", "--url", address)
    assert said.status == 1
    assert f"No runbookd can be reached at {address} (Connection refused)." in said.err


@pytest.mark.parametrize(
    "address",
    ["runbookd.example.com", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port", "http://h:0"],
)
def test_what_is_no_address_is_a_usage_error_with_an_example(
    runbookd: CommandLine, address: str
) -> None:
    said = runbookd("runs", "--url", address)
    assert said.status == 2
    assert "https://runbookd.example.com" in said.err


@pytest.mark.parametrize(
    "address", ["http://me:hidden-not-real@127.0.0.1", "http://127.0.0.1/?token=hidden-not-real"]
)
def test_an_address_carries_no_secret(runbookd: CommandLine, address: str) -> None:
    said = runbookd("runs", "--url", address)
    assert said.status == 2
    assert "a token belongs in RUNBOOKD_TOKEN" in said.err
    assert "hidden-not-real" not in said.err


Answer = tuple[int, Mapping[str, str], bytes]


@pytest.fixture
def served() -> Iterator[Callable[[Answer], str]]:
    """Start a server that gives one answer to everything; its address."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, headers, body = answer
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(sentence: str, code: int) -> Answer:
    return code, {"Content-Type": "application/json"}, json.dumps({"error": sentence}).encode()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {}, b"<html>Welcome</html>"), "is not a runbookd"),
        ((200, {}, b'{"status": "success", "data": []}'), "is not a runbookd"),
        ((200, {}, b"[1]"), "is not a runbookd"),
        ((404, {}, b"<html>no such page</html>"), "is not a runbookd"),
        ((404, {}, b'{"message": "no Route matched"}'), "is not a runbookd"),
        ((502, {}, b"<html>Bad Gateway</html>"), "a proxy before it may have no runbookd to ask"),
        (
            (302, {"Location": "https://login.example.com/?next=1"}, b""),
            "it sends to https://login",
        ),
        (refused("There is nothing at '/api/v1/status'.", 404), "is older than this terminal"),
        (refused("The database cannot be used now.", 503), "answered 503: The database cannot be"),
        (refused("Your role is viewer.", 403), "The token may not read this at"),
        ((200, {}, b"\xff\xfe"), "is not a runbookd"),
    ],
    ids=str,
)
def test_an_answer_that_is_not_the_status_is_told_in_a_sentence(
    runbookd: CommandLine, served: Callable[[Answer], str], answer: Answer, sentence: str
) -> None:
    said = runbookd("status", "--url", served(answer), env={"RUNBOOKD_TOKEN": TOKEN})
    assert said.status == 1
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert TOKEN not in said.err + said.out


def test_what_an_older_service_refuses_is_a_usage_error_in_its_own_words(
    runbookd: CommandLine, served: Callable[[Answer], str]
) -> None:
    said = runbookd("runs", "--url", served(refused("'action' is no parameter here.", 422)))
    assert (said.status, said.err.strip()) == (2, "'action' is no parameter here.")


def test_an_older_service_that_has_no_such_runs_is_not_asked_for_its_targets_in_vain(
    runbookd: CommandLine, served: Callable[[Answer], str]
) -> None:
    answer: Answer = (200, {}, json.dumps({"items": [], "next": None}).encode())
    said = runbookd("runs", "--target", "api", "--url", served(answer))
    assert (said.status, said.out.strip()) == (0, "There are no such runs.")


def test_strangers_text_in_an_answer_cannot_steer_the_terminal(
    runbookd: CommandLine, served: Callable[[Answer], str]
) -> None:
    address = served(refused("no\x1b[2J\u202e", 503))
    said: Said = runbookd("status", "--url", address)
    assert "\x1b" not in said.err
    assert "\\u202e" in said.err


@pytest.mark.parametrize("token", ["two\nlines", "größe"])
def test_a_token_that_no_header_can_carry_is_refused_before_it_is_sent(token: str) -> None:
    with pytest.raises(BadFilter, match="must hold one token"):
        RemoteReader("http://127.0.0.1:1", token)


def test_a_service_may_be_below_a_path(
    runbookd: CommandLine, served: Callable[[Answer], str]
) -> None:
    answer: Answer = (200, {}, json.dumps({"items": [], "next": None}).encode())
    assert runbookd("alerts", "--url", f"{served(answer)}/ops/runbookd/").status == 0


def test_the_local_status_is_by_the_rules_that_web_decides_by(
    runbookd: CommandLine, local: dict[str, str], tmp_path: Path
) -> None:
    edited = tmp_path / "edited.yml"
    edited.write_text("targets: {}\nrules: []\n", encoding="utf-8")
    told = json.loads(runbookd("status", "--json", env={**local, "RULES": str(edited)}).out)
    assert list(told["targets"]) == ["api", "worker-vm", "database"]


def test_before_any_web_process_the_local_status_is_by_the_rules_that_are_named(
    runbookd: CommandLine, local: dict[str, str], tmp_path: Path
) -> None:
    fresh = {**local, "RUNBOOKD_HOME": str(tmp_path)}
    migrate(load_settings(fresh))
    told = json.loads(runbookd("status", "--json", env=fresh).out)
    assert list(told["targets"]) == ["api", "worker-vm", "database"]
    broken = runbookd("status", env={**fresh, "RULES": str(tmp_path / "none.yml")})
    assert (broken.status, "none.yml" in broken.err) == (1, True)


def test_a_metric_is_told_in_one_line_and_its_days_and_hours_each_in_one(
    runbookd: CommandLine, local: dict[str, str]
) -> None:
    whole = runbookd("readings", env=local).out.splitlines()
    assert [line.split()[:2] for line in whole[1:]] == [["cpu", "%"], ["instances", "api"]]
    hours = runbookd("readings", "cpu", "--hours", "--json", env=local)
    assert len(json.loads(hours.out)["items"]) == 150
    days = runbookd("readings", "cpu", env=local).out.splitlines()
    assert 7 <= len(days[1:]) <= 8
    nothing = runbookd("readings", "rps", env=local)
    assert (nothing.status, nothing.out[:28]) == (0, "There are no such readings s")
