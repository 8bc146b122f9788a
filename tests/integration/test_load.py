"""`runbookd load` against the sandbox's QuizMentor, over real HTTP."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.providers.load_generator import run_test
from service.rulebook.load_tests import load_test
from service.rulebook.pack import packaged
from tests.processes import free_port
from tests.unit.cli.commandline import CommandLine, Said
from tests.unit.sandbox.support import APP, TOKEN, Served, served

PHASES = {"small": (1, 20), "large": (1, 50)}
"""Seconds and journeys a second."""
FILE = """
phases:
  - {name: small, duration: 1s, rate: 20}
  - {name: large, duration: 1s, rate: 50}
journey:
  users: 7
  email: u{number}@example.com
  steps:
    - name: login
      method: POST
      path: /auth/login
      json: {email: "{email}", password: "{password}"}
      takes: token
    - {name: quiz, method: GET, path: /api/quiz}
    - {name: submit, method: POST, path: /api/quiz/submit, json: {answers: [0, 1, 2, 3, 0]}}
    - {name: results, method: GET, path: /api/quiz/results}
allow_hosts: [staging.example.com]
limits: {requests: 5000, seconds: 120}
abort: {errors: 5%, for: 1s}
"""


@pytest.fixture
def quizmentor() -> Iterator[Served]:
    with served(rate_limits=False, action_seconds=0.0) as made:
        yield made


class Load:
    """Types `runbookd load`."""

    def __init__(self, line: CommandLine, home: Path) -> None:
        self.file = home / "test.yml"
        self.file.write_text(FILE, encoding="utf-8")
        # A busy machine is no failure: these are as generous as a time-out.
        self.generous = home / "kpis.yml"
        text = packaged("kpis.yml").read_text(encoding="utf-8")
        for limit in ("500", "100", "1000"):
            text = text.replace(f"target: {limit}\n", "target: 60000\n")
        self.generous.write_text(text.replace("alert: 750", "alert: 70000"), encoding="utf-8")
        self._env = {"RUNBOOKD_HOME": str(home)}
        self._line = line

    def __call__(self, *arguments: str, **env: str) -> Said:
        words = ("load", str(self.file), "--scale", "1", *arguments)
        return self._line(*words, env={**self._env, **env})


@pytest.fixture
def load(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Load:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    return Load(CommandLine(monkeypatch, capsys), tmp_path)


def _site(quizmentor: Served, **change: Any) -> Any:
    return httpx.post(f"{quizmentor.url}/_sandbox/site", json=change).json()


def _counted(quizmentor: Served, status: int = 200) -> Counter[tuple[str, str]]:
    rows = _site(quizmentor)["requests"]
    return Counter(
        {(row["phase"], row["path"]): row["count"] for row in rows if row["status"] == status}
    )


def test_each_phase_brings_as_many_journeys_to_the_server_as_planned(
    load: Load, quizmentor: Served
) -> None:
    said = load("--host", quizmentor.url, "--kpis", str(load.generous), "--format", "json")
    told = json.loads(said.out)
    assert (said.status, told["verdict"]) == (0, "met"), said
    counted = _counted(quizmentor)
    for name, (seconds, rate) in PHASES.items():
        for path in ("/auth/login", "/api/quiz", "/api/quiz/submit", "/api/quiz/results"):
            assert abs(counted[name, path] - seconds * rate) <= 0.01 * seconds * rate
    assert [each["requests"] for each in told["phases"]] == [80, 200]


def test_arrivals_do_not_wait_for_a_service_that_is_too_slow_and_the_kpi_is_missed(
    load: Load, quizmentor: Served
) -> None:
    _site(quizmentor, rps_per_vcpu=5)  # 10 a second; the phase `large` brings 50 logins
    text = FILE.replace("for: 1s", "for: 1h")
    load.file.write_text(text, encoding="utf-8")
    said = load("--host", quizmentor.url, "--format", "json")
    assert said.status in {1, 3}, "which of them depends on how busy this machine is"
    _, large = json.loads(said.out)["phases"]
    missed = {each["kpi"] for each in large["kpis"] if each["met"] is False}
    assert {"response_time", "response_time_p50", "error_rate"} <= missed
    logins = _counted(quizmentor)["large", "/auth/login"]
    refused = _counted(quizmentor, 503)["large", "/auth/login"]
    assert logins + refused == 50
    assert refused


def test_more_instances_of_the_app_answer_what_fewer_could_not(
    load: Load, quizmentor: Served
) -> None:
    _site(quizmentor, rps_per_vcpu=5)
    _scale(quizmentor, 100)  # 500 a second, where 2 instances answer 10
    said = load("--host", quizmentor.url, "--kpis", str(load.generous), "--format", "json")
    assert said.status == 0, said
    assert _counted(quizmentor, 503) == {}


def _scale(quizmentor: Served, instances: int) -> None:
    app = f"{quizmentor.url}/digitalocean/v2/apps/{APP}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    spec = httpx.get(app, headers=headers).json()["app"]["spec"]
    spec["services"][0]["instance_count"] = instances
    assert httpx.put(app, headers=headers, json={"spec": spec}).status_code == 200


def test_too_many_errors_end_it_early_and_a_journey_ends_where_it_fails(
    load: Load, quizmentor: Served
) -> None:
    words = ("--host", quizmentor.url, "--times", "4", "--format", "json")
    said = load(*words, LOAD_PASSWORD="not-the-password")
    told = json.loads(said.out)
    assert said.status == 3, "a 401 is no fault of the service, so nothing is sure"
    assert "requests failed within 1 s, more than 5%" in told["ended"]
    counted = _counted(quizmentor, 401)
    assert {path for _, path in counted} == {"/auth/login"}
    assert 0 < counted.total() < 280
    assert "not-the-password" not in said.out + said.err


def test_a_host_that_is_not_allowed_gets_no_packet(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Any] = []

    def reach(*arguments: Any, **_: Any) -> Any:
        reached.append(arguments)
        raise OSError("no packet leaves this test")

    monkeypatch.setattr(socket.socket, "connect", reach)
    monkeypatch.setattr(socket, "getaddrinfo", reach)
    said = load("--host", "https://api.quizmentor.app", "--yes")
    assert said.status == 2
    assert "api.quizmentor.app is not among `allow_hosts`" in said.err
    asked = load("--host", "https://staging.example.com")
    assert asked.status == 2
    assert "This sends 280 requests to https://staging.example.com. Nothing was sent." in asked.err
    assert load("--host", "https://staging.example.com", "--plan").status == 0
    assert reached == []
    load("--host", "https://staging.example.com", "--yes", "--times", "0.05")
    assert reached, "the test sees what goes out"


def test_a_plan_and_a_table_say_what_is_sent_and_what_came_of_it(
    load: Load, quizmentor: Served
) -> None:
    planned = load("--host", quizmentor.url, "--plan")
    assert "280 requests" in planned.out
    assert _counted(quizmentor) == {}
    said = load("--host", quizmentor.url, "--times", "0.1", "--kpis", str(load.generous))
    rows = [line.split() for line in said.out.splitlines()]
    assert ["small", "2", "of", "2", "2", "8", "0"] in [row[:7] for row in rows]
    assert "Every KPI that could be measured is met" in said.out
    lines = load("--host", quizmentor.url, "--times", "0.1", "--format", "csv").out.splitlines()
    assert lines[0].startswith("phase,judged,planned,begun,")
    assert [line.split(",")[0] for line in lines[1:]] == ["small", "large"]


def test_where_nothing_answers_it_says_so_at_once(load: Load) -> None:
    said = load("--host", f"http://127.0.0.1:{free_port()}", "--times", "10")
    assert said.status == 2
    assert "so no load was sent" in said.err


def test_it_ends_after_its_seconds_whatever_is_still_under_way(
    load: Load, quizmentor: Served
) -> None:
    test = replace(load_test(load.file), think_s=3_600.0, most_seconds=1.0)
    record = run_test(test, quizmentor.url, "password")
    assert "1 s are over (limits.seconds)" in record.ended
    assert not any(each.finished for each in record.arrived)


def test_a_start_that_was_late_counts_as_waiting(load: Load, quizmentor: Served) -> None:
    """This process stands still for a while, as on a machine that is too busy to send."""
    test = load_test(load.file).scaled(1, 0.2)
    record = run_test(test, quizmentor.url, "password", told=lambda _: time.sleep(0.5))
    late = max(each.late_ms for each in record.arrived)
    first = max(each.ms for each in record.samples if each.step == "login")
    assert late > 400
    assert first > late
