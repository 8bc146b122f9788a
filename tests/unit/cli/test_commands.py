from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.cli.commands import ACT, ENTRIES, LOOK
from tests.processes import ROOT
from tests.reliability import VendorSaw, scenario
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine

RULES = """
targets:
  api: {kind: app_platform, app: "${API_APP_ID}", component: api, replicas: {min: 2, max: 10}}
rules:
  - name: high-cpu
    match: ['alertname="High CPU Usage"']
    action: %s
    target: api
    cooldown: 1h30m
"""


def rule_file(directory: Path, action: str = "horizontal_scale") -> str:
    path = directory / "rules.yml"
    path.write_text(RULES % action, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ENTRIES)
def test_each_command_is_listed_and_teaches_with_an_example(
    runbookd: CommandLine, name: str
) -> None:
    listed = runbookd("--help")
    said = runbookd(name, "--help")
    assert said.status == 0
    assert f"│ {name} " in listed.out
    assert "Example" in said.out
    assert f"runbookd {name}" in said.out


BESIDE_THE_STORE = {"replay", "backtest"}
"""Of the commands that look or act, those that decide by the rules and the store beside them."""


@pytest.mark.parametrize(
    "command",
    [
        *(
            (name,)
            for name, entry in ENTRIES.items()
            if entry.panel in {LOOK, ACT} and name not in BESIDE_THE_STORE
        ),
        *(("token", verb) for verb in ("new", "list", "revoke")),
    ],
    ids=" ".join,
)
def test_whatever_looks_or_acts_may_ask_a_running_service(
    runbookd: CommandLine, command: tuple[str, ...]
) -> None:
    said = runbookd(*command, "--help")
    assert said.status == 0
    assert "--url " in said.out
    assert "--token-file " in said.out


def test_a_replay_far_from_its_store_does_not_advise_an_option_that_it_has_not(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    rules = rule_file(tmp_path)
    here = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path / "none"), "RULES": rules}
    said = runbookd("replay", env={**here, "RUNBOOKD_URL": "http://127.0.0.1:1"})
    assert said.status == 1
    assert "There is no database at" in said.err
    assert "--url" not in said.err
    assert "Run it where the service runs" in said.err
    assert "name a running service with --url" in runbookd("runs", env=here).err


def test_an_unknown_command_is_a_usage_error(runbookd: CommandLine) -> None:
    said = runbookd("chekc")
    assert said.status == 2
    assert "check" in said.err


def test_a_setting_that_cannot_be_used_is_told_in_a_sentence(runbookd: CommandLine) -> None:
    said = runbookd("check", env={"PORT": "eighty"})
    assert said.status == 1
    assert said.err.startswith("PORT: ")
    assert "Traceback" not in said.err


def test_check_shows_each_rule_with_its_target_and_cooldown(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    said = runbookd("check", rule_file(tmp_path), env=SANDBOX_IDS)
    assert said.status == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("high-cpu")]
    for part in ("horizontal_scale", "api  (2–10 instances)", "1h30m", "rules.yml:5"):
        assert part in line
    assert "1 rule, 1 target, hash " in said.out


def test_check_shows_what_each_credential_may_earn(runbookd: CommandLine, tmp_path: Path) -> None:
    scopes = tmp_path / "scopes.yml"
    scopes.write_text("scopes: {prod: {rules: all}, dev: {rules: [], may_resolve: false}}")
    said = runbookd("check", rule_file(tmp_path), str(scopes), env=SANDBOX_IDS)
    lines = [line.split() for line in said.out.splitlines()]
    assert ["prod", "all", "rules", "yes"] in lines
    assert ["dev", "nothing", "no"] in lines


def test_check_names_file_line_and_rule_of_an_error(runbookd: CommandLine, tmp_path: Path) -> None:
    path = rule_file(tmp_path, action="horizontal_scal")
    said = runbookd("check", path, env=SANDBOX_IDS)
    assert said.status == 1
    assert f"{path}:7: rule high-cpu: " in said.err
    assert said.out == ""


def test_check_warns_and_passes_and_strict_makes_the_warning_an_error(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    ids = {**SANDBOX_IDS, "API_APP_ID": "quizmentor"}
    path = rule_file(tmp_path)
    said = runbookd("check", path, env=ids)
    assert (said.status, "warning: target api: quizmentor does not look" in said.out) == (0, True)
    assert said.out.rstrip().endswith("valid, 1 warning.")
    strict = runbookd("check", "--strict", path, env=ids)
    assert (strict.status, "target api: quizmentor does not look" in strict.err) == (1, True)


def test_check_names_the_line_of_a_variable_that_is_not_set(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    path = rule_file(tmp_path)
    said = runbookd("check", path)
    assert said.status == 1
    assert f"{path}:3: target api: ${{API_APP_ID}} is not set" in said.err


def test_check_never_shows_a_secret_that_a_rule_file_asks_for(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    path = rule_file(tmp_path)
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(text.replace("API_APP_ID", "SLACK_BOT_TOKEN"), encoding="utf-8")
    secret = {"SLACK_BOT_TOKEN": "xoxb-test-not-real"}
    said = runbookd("check", path, env=secret)
    assert said.status == 1
    assert f"{path}:3: target api: ${{SLACK_BOT_TOKEN}} is not among the variables" in said.err
    listed = runbookd("check", path, env={**secret, "RULES_ENV": "SLACK_BOT_TOKEN"})
    assert listed.status != 0
    assert "SLACK_BOT_TOKEN may hold a secret" in listed.err
    assert "xoxb-test-not-real" not in said.out + said.err + listed.out + listed.err


def test_check_puts_in_a_variable_that_rules_env_lists(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    path = rule_file(tmp_path)
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(text.replace("API_APP_ID", "OUR_APP"), encoding="utf-8")
    assert runbookd("check", path, env={"OUR_APP": "app-1"}).status == 1
    assert runbookd("check", path, env={"OUR_APP": "app-1", "RULES_ENV": "OUR_APP"}).status == 0


def test_check_takes_the_files_that_rules_names(runbookd: CommandLine, tmp_path: Path) -> None:
    said = runbookd("check", env={**SANDBOX_IDS, "RULES": rule_file(tmp_path)})
    assert said.status == 0
    assert "1 rule, 1 target" in said.out


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({}, "No sender could post: set at least one of ALERTMANAGER_TOKENS"),
        ({"OPEN_WEBHOOKS": "1", "HOST": "192.0.2.7"}, "web would listen on 192.0.2.7"),
        ({"OPEN_WEBHOOKS": "1", "HOST": "example.com"}, "web would listen on example.com"),
        ({"ALERTMANAGER_TOKENS": "test-token-not-real", "HOST": "::"}, "API_TOKENS is not set"),
    ],
)
def test_web_refuses_to_start_when_nobody_or_everybody_could_post(
    runbookd: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
    sentence: str,
) -> None:
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it was started"))
    said = runbookd("web", env=env)
    assert said.status == 1
    assert sentence in said.err


@pytest.mark.parametrize(
    "env",
    [
        {
            "GRAFANA_BASIC": "grafana:test-password-not-real",
            "API_TOKENS": "test-token-not-real",
            "HOST": "192.0.2.7",
        },
        {"OPEN_WEBHOOKS": "1", "HOST": "127.0.0.2"},
        {"OPEN_WEBHOOKS": "1", "HOST": "::1"},
        {"OPEN_WEBHOOKS": "1", "HOST": "localhost"},
    ],
)
def test_web_becomes_gunicorn_when_all_is_in_order(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    started: list[tuple[str, ...]] = []

    def become(_path: str, command: tuple[str, ...]) -> None:
        started.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.chdir(ROOT)
    assert runbookd("web", env={**SANDBOX_IDS, **env}).status == 0
    assert started[0][1:] == ("-m", "gunicorn", "-c", "python:service.web.gunicorn_conf")


@scenario(
    "Where runbookd itself cannot work",
    "A worker is started without tokens and without a pager's key.",
    "It refuses to start, and says what each one is needed for and how to insist.",
)
def test_a_worker_without_any_secret_says_what_it_lacks_and_how_to_insist(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch, vendor_saw: VendorSaw
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        "service.bootstrap.startup.migrate", lambda _: pytest.fail("it was started")
    )
    said = runbookd("worker", env=SANDBOX_IDS)
    assert said.status == 1
    for lacking in (
        "PAGERDUTY_ROUTING_KEY is not set: nobody can be paged.",
        "SLACK_BOT_TOKEN is not set",
        "DIGITALOCEAN_TOKEN is not set: api and worker-vm cannot be scaled.",
        "SUPABASE_ACCESS_TOKEN is not set: database cannot be scaled.",
        "--allow-missing",
    ):
        assert lacking in said.err
    vendor_saw([])


def test_a_worker_that_insists_is_started_and_its_log_says_what_it_lacks(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    def started(_settings: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("service.bootstrap.startup.migrate", started)
    said = runbookd("worker", "--allow-missing", env=SANDBOX_IDS)
    assert said.status == 0
    assert "nobody can be paged" in said.err


def test_a_sandbox_whose_port_is_taken_says_which_variable_to_set(
    runbookd: CommandLine, taken_port: int
) -> None:
    said = runbookd("sandbox", env={"SANDBOX_PORT": str(taken_port)})
    assert said.status == 1
    assert f"127.0.0.1:{taken_port}" in said.err
    assert "set SANDBOX_PORT" in said.err


def test_a_droplet_id_that_is_no_number_is_refused(runbookd: CommandLine) -> None:
    said = runbookd("sandbox", env={"DROPLET_ID": "worker-vm"})
    assert said.status == 1
    assert "DROPLET_ID=worker-vm must be a number" in said.err


@pytest.mark.parametrize("command", [("runs",), ("explain", "a-1"), ("replay",)])
def test_reading_what_is_stored_makes_no_database(
    runbookd: CommandLine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    said = runbookd(*command, env={**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path / "none")})
    assert said.status == 1
    assert f"There is no database at {tmp_path / 'none' / 'runbookd.db'} yet" in said.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--id", "a-1", "--name", "High CPU Usage"),
        ("--id", "a-1", "--file", "payload.json"),
        ("--file", "payload.json", "--since", "2h"),
        ("--source", "nagios"),
        ("--limit", "0"),
    ],
)
def test_a_replay_that_names_its_alerts_in_two_ways_is_a_usage_error(
    runbookd: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert runbookd("replay", *arguments).status == 2
