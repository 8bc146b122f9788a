"""`runbookd tail`: what is new since the last look, once, the oldest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from service.cli import tail
from service.cli.tail import Follower
from service.domain.errors import StoreUnavailable
from tests.unit.cli.commandline import CommandLine

ALERT = {
    "id": "a-1",
    "name": "High CPU Usage",
    "source": "alertmanager",
    "status": "firing",
    "first_seen": "2026-11-28T10:00:00Z",
    "resolved_at": None,
}
DECISION = {
    "id": "d-1",
    "alert": "a-1",
    "action": "horizontal_scale",
    "target": "api",
    "rule": "high-cpu",
    "verdict": "act",
    "reason": "run api.out.1",
    "decided_at": "2026-11-28T10:00:00Z",
}
RUN = {
    "id": "api.out.1",
    "action": "horizontal_scale",
    "status": "queued",
    "reason": "",
    "plan": None,
    "created_at": "2026-11-28T10:00:00Z",
    "started_at": None,
    "ended_at": None,
}
PLAN = {"what": "replicas", "before": "2", "after": "3"}
RUNNING = {**RUN, "status": "running", "plan": PLAN, "started_at": "2026-11-28T10:00:01Z"}
DONE = {
    **RUNNING,
    "status": "succeeded",
    "reason": "api: replicas 2 → 3",
    "ended_at": "2026-11-28T10:00:09Z",
}
RESOLVED = {**ALERT, "status": "resolved", "resolved_at": "2026-11-28T10:05:00Z"}

Pages = dict[str, list[dict[str, Any]]]


class Service:
    """Answers each look with the next pages; the last of them again and again."""

    def __init__(self, *looks: Pages | Exception) -> None:
        self.looks = list(looks)
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def page(self, what: str, filters: Mapping[str, str]) -> dict[str, Any]:
        self.asked.append((what, filters))
        look = self.looks[0]
        if (isinstance(look, Exception) or what == "runs") and len(self.looks) > 1:
            self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return {"items": look.get(what, []), "next": None}


def told(follower: Follower) -> list[tuple[str, str, str]]:
    return [(event["kind"], event["status"], event["text"]) for event in follower.look()]


def test_each_change_is_told_once_and_the_oldest_first() -> None:
    service = Service(
        {"alerts": [ALERT], "decisions": [DECISION], "runs": [RUN]},
        {"alerts": [ALERT], "decisions": [DECISION], "runs": [RUNNING]},
        {"alerts": [RESOLVED], "decisions": [DECISION], "runs": [DONE]},
    )
    follower = Follower(service, None)  # type: ignore[arg-type]  # it reads pages only
    assert told(follower) == [
        ("alert", "firing", "High CPU Usage from alertmanager"),
        ("decision", "act", "horizontal_scale of api by rule high-cpu: run api.out.1"),
        ("run", "queued", "horizontal_scale"),
    ]
    assert told(follower) == [("run", "running", "replicas 2 → 3")]
    assert told(follower) == [
        ("run", "succeeded", "api: replicas 2 → 3"),
        ("alert", "resolved", "High CPU Usage from alertmanager"),
    ]
    assert told(follower) == []


def test_a_target_leaves_out_the_decisions_and_runs_of_others() -> None:
    service = Service({})
    Follower(service, "api").look()  # type: ignore[arg-type]  # it reads pages only
    assert {what: filters.get("target") for what, filters in service.asked} == {
        "alerts": None,
        "decisions": "api",
        "runs": "api",
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(tail, "LOOK_S", 0.01)
    return monkeypatch


def follow(
    patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], service: Service, *more: str
) -> str:
    patch.setattr(tail, "open_reader", lambda _url, _token: service)
    said = CommandLine(patch, capture)("tail", "--for", "1s", *more)
    assert said.status == 0, said
    return said.out


def test_a_service_that_is_away_is_told_once_and_asked_again(
    quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = StoreUnavailable("The service does not answer.")
    out = follow(quick, capsys, Service({}, away, away, {"runs": [DONE]}))
    assert out.count("The service does not answer.") == 1
    assert "10:00:09 run api.out.1 succeeded: api: replicas 2 → 3" in out


def test_only_so_many_of_before_are_told_at_first_and_programs_get_a_line_for_each(
    quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first: Pages = {"alerts": [ALERT], "decisions": [DECISION], "runs": [DONE]}
    out = follow(quick, capsys, Service(first), "-n", "1", "--json")
    (line,) = out.splitlines()
    assert json.loads(line)["id"] == "api.out.1"
    assert not follow(quick, capsys, Service(first), "-n", "0")


def test_what_is_no_duration_is_refused(
    quick: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = CommandLine(quick, capsys)("tail", "--for", "soon")
    assert (said.status, "is not a duration" in said.err) == (2, True), said
