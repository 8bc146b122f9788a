"""The status in terminals of different widths."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.cli.commandline import CommandLine


def run(name: str, status: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "status": status,
        "action": "vertical_scale",
        "why": "High Memory Usage",
        "reason": "It went\nwell.",
        "plan": {"what": "size", "before": "s-1vcpu-2gb", "after": "s-2vcpu-4gb"},
        "created_at": "2026-01-31T03:30:00Z",
        "started_at": "2026-01-31T03:30:30Z",
        "ended_at": None,
        **changes,
    }


def target(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "console": f"https://cloud.example.com/{name}",
        "bounds": "2–10 instances, professional-xs … professional-l",
        "present": None,
        "cooldowns": [],
        "under_way": [],
        "last_run": None,
        "open_episodes": {"count": 0, "items": []},
        **changes,
    }


API = target(
    "api",
    present={
        "state": {"replicas": 3, "size": "professional-xs"},
        "known": "set",
        "run": "api.out.7",
        "seen_at": "2026-01-31T03:27:00Z",
    },
    cooldowns=[
        {
            "direction": "out",
            "until": "2026-01-31T03:42:00Z",
            "seconds_left": 540,
            "run": "api.out.7",
            "reason": "api: replicas 2 → 3",
        }
    ],
    last_run=run("api.out.7", "succeeded", ended_at="2026-01-31T03:27:00Z"),
    open_episodes={
        "count": 7,
        "items": [{"id": "a-1", "name": "High\nCPU", "first_seen": "2026-01-31T03:20:00Z"}],
    },
)
WORKER = target(
    "worker-vm",
    under_way=[run("worker-vm.up.12", "running")],
    last_run=run("worker-vm.up.11", "failed", ended_at="2026-01-30T02:33:00Z"),
    present={
        "state": {"size": "s-1vcpu-2gb", "status": "off"},
        "known": "unsure",
        "run": "worker-vm.up.11",
        "seen_at": "2026-01-30T02:30:00Z",
    },
)
FOUND = {
    "at": "2026-01-31T03:33:00Z",
    "rules_hash": "0123456789ab",
    "workers": 1,
    "queue": {"queued": 2, "running": 1, "messages": 0},
    "targets": {each["name"]: each for each in (API, WORKER, target("database"))},
}


class Fixed:
    """A reader that knows one status."""

    def status(self, name: str | None) -> dict[str, Any]:
        targets = FOUND["targets"]
        assert isinstance(targets, dict)
        return {**FOUND, "targets": targets if name is None else {name: targets[name]}}


Show = Callable[..., str]


@pytest.fixture
def show(runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.setattr("service.cli.status.open_reader", lambda *_: Fixed())

    def shown(columns: int, *arguments: str) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        said = runbookd("status", *arguments)
        assert said.status == 0
        return said.out

    return shown


WHOLE = (
    "api.out.7",
    "worker-vm.up.12",
    "worker-vm.up.11",
    "professional-xs",
    "s-1vcpu-2gb",
    "instances",
    "succeeded",
)


@pytest.mark.parametrize("columns", [60, 72, 80, 120, 200])
def test_no_line_is_longer_than_the_terminal_and_no_word_is_broken(
    show: Show, columns: int
) -> None:
    out = show(columns)
    assert max(map(len, out.splitlines())) <= columns
    for word in WHOLE:
        assert re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])", out), word


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_all_that_is_asked_of_a_status_is_there_at_any_width(show: Show, columns: int) -> None:
    out = " ".join(show(columns).split())
    for part in ("target" if columns > 60 else "api", "now", "bounds", "cooldown", "under way"):
        assert part in out
    assert "3 replicas," in out
    assert "not seen yet" in out


@pytest.mark.parametrize("columns", [60, 120])
def test_times_are_told_from_here_and_by_the_clock(show: Show, columns: int) -> None:
    out = " ".join(show(500 if columns > 60 else columns).split())
    assert "set 6 min ago, 03:27" in out
    assert "out in 9 min, 03:42" in out
    assert "api.out.7 succeeded 6 min ago, 03:27" in out
    assert "worker-vm.up.12 running since 2 min ago, 03:30" in out
    assert "worker-vm.up.11 failed 1 day 1 h ago, 2026-01-30 02:33" in out
    assert "Times are UTC." in out


def test_a_wide_terminal_has_a_line_and_a_column_for_each(show: Show) -> None:
    header, api, *_ = show(200).splitlines()
    assert re.split(r"\s{2,}", header.strip()) == [
        "target",
        "now",
        "bounds",
        "cooldown",
        "under way",
        "last run",
    ]
    assert api.startswith("api ")


def test_a_state_that_is_in_doubt_says_which_run_failed(show: Show) -> None:
    out = " ".join(show(60).split())
    assert "s-1vcpu-2gb, off" in out
    assert "worker-vm.up.11 failed since, so look at it" in out


def test_one_target_is_shown_with_reasons_alerts_and_its_page_at_the_vendor(show: Show) -> None:
    out = show(100, "api")
    assert "worker-vm" not in out
    assert "after api.out.7: api: replicas 2 → 3" in out
    assert "It went well." in out
    assert "High CPU, 13 min ago, 03:20 (a-1)" in out
    assert "and 6 more: runbookd alerts --firing" in out
    assert "https://cloud.example.com/api" in out
    assert "size s-1vcpu-2gb → s-2vcpu-4gb, for High Memory Usage" in show(100, "worker-vm")


def test_what_waits_is_told_and_that_nobody_works(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = show(80)
    assert "Workers alive: 1. Runs waiting: 2, under way: 1. Messages waiting: 0." in out
    assert "No worker is alive" not in out
    monkeypatch.setitem(FOUND, "workers", 0)
    assert "No worker is alive, so nothing that waits is done: start `runbookd worker`." in show(80)


def test_json_is_the_value_as_it_was_read(show: Show) -> None:
    assert json.loads(show(80, "--json")) == FOUND
