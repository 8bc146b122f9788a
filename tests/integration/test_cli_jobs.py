"""Jobs in the terminal, on the local store and through a running service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_cli_control import Terminal, terminal
from tests.processes import ROOT

__all__ = ["terminal"]
NOW = ("jobs", "more", "--now", "--why", "a big exam", "--yes")


@pytest.fixture
def rule_files(tmp_path: Path) -> str:
    """The shipped rules, with one job."""
    found = tmp_path / "with-a-job.yml"
    shipped = (ROOT / "rules" / "quizmentor.yml").read_text()
    job = "jobs:\n  more: {every: '0 9 * * *', action: horizontal_scale, target: api}\n"
    found.write_text(f"{shipped}\n{job}")
    return str(found)


def test_jobs_are_listed_with_their_last_time_and_their_next(terminal: Terminal) -> None:
    said = terminal("jobs")
    assert said.status == 0
    for part in ("more", "0 9 * * * UTC", "horizontal_scale of api", "never", "in "):
        assert part in said.out
    (item,) = json.loads(terminal("jobs", "--json").out)["items"]
    assert (item["name"], item["last"], item["with"]) == ("more", None, {"step": 1})
    assert item["next"].endswith("T09:00:00+00:00")


def test_a_person_has_a_job_done_now_and_it_is_audited(terminal: Terminal) -> None:
    made = terminal(*NOW)
    assert (made.status, "Queued: run more.job.1 does horizontal_scale" in made.out) == (0, True)
    again = json.loads(terminal(*NOW, "--json").out)
    assert (again["id"], again["target"]) == ("more.job.2", "api")
    assert "a big exam" in terminal("audit").out
    assert "has it done now: a big exam" in terminal("runs", "more.job.1").out
    assert "(job more)" in terminal("runs").out
    assert "never" in terminal("jobs").out, "its times stay as they are"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jobs", "more"), "name it and say --now"),
        (("jobs", "--now"), "name it and say --now"),
        (("jobs", "more", "--now", "--yes"), "Say why with --why"),
        (("jobs", "more", "--now", "--why", "x"), "say --yes"),
        (("jobs", "most", "--now", "--why", "x", "--yes"), "There is no job 'most'"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_queued(
    terminal: Terminal, arguments: tuple[str, ...], said: str
) -> None:
    refused = terminal(*arguments)
    assert refused.status != 0
    assert said in refused.err
    assert "There are no such runs." in terminal("runs").out
