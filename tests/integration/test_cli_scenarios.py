"""Scenarios in the terminal, on the local store and through a running service. No worker lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_cli_control import Terminal, terminal
from tests.processes import ROOT

__all__ = ["terminal"]

SCENARIOS = """\
scenarios:
  rush:
    ends: {after: 2h}
    steps:
      - {id: out, action: set_capacity, target: api, to: {replicas: 8}, undo: restore}
      - {id: vm, action: vertical_scale, target: worker-vm, to: {size: next}, after: [out],
         confirm: person, undo: none}
  dear:
    approval: {above: $200, from: [finance]}
    steps: [{id: vm, action: vertical_scale, target: worker-vm, to: {size: next}, undo: none}]
  worst:
    emergency: true
    steps: [{id: out, action: set_capacity, target: api, to: {replicas: 20}, undo: restore}]
  signed:
    emergency: true
    signoff: {before: [devops, finance], after: [cto]}
    steps: [{id: out, action: set_capacity, target: api, to: {replicas: 20}, undo: restore}]
"""
START = ("--why", "we are on the news", "--yes")


@pytest.fixture
def rule_files(tmp_path: Path) -> str:
    """The shipped rules, with scenarios."""
    path = tmp_path / "scenarios.yml"
    path.write_text(SCENARIOS)
    return f"{ROOT / 'rules' / 'quizmentor.yml'},{path}"


def test_a_scenario_is_listed_started_shown_cancelled_and_audited(terminal: Terminal) -> None:
    listed = terminal("scenarios")
    assert listed.status == 0, listed.err
    assert "rush" in listed.out
    assert "finance, above $200 a month" in listed.out
    assert "asks nobody" in listed.out
    made = terminal("run", "rush", *START)
    assert (made.status, "Started: scenario rush.1." in made.out) == (0, True)
    shown = terminal("scenarios", "rush.1")
    assert "rush.1: running" in shown.out
    assert "it does not wait for approval" in terminal("approve", "rush.1").err
    assert "none, confirmed by a person" in shown.out
    assert "rush.1" in terminal("scenarios").out
    stopped = terminal("cancel", "rush.1", "--why", "a false alarm", "--yes")
    assert (stopped.status, "begins no further step" in stopped.out) == (0, True)
    again = terminal("cancel", "rush.1", "--why", "once more", "--yes")
    assert (again.status, "was cancelled already" in again.err) == (1, True)
    audit = terminal("audit").out
    assert [word in audit for word in ("we are on the news", "a false alarm")] == [True] * 2


def test_on_a_narrow_terminal_each_step_has_lines_of_its_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("run", "rush", *START)
    wide = terminal("scenarios", "rush.1").out
    monkeypatch.setenv("COLUMNS", "80")
    narrow = terminal("scenarios", "rush.1").out
    assert ("before → after" in wide, "before → after" in narrow) == (True, False)
    lines = [line for line in narrow.splitlines() if "undo: none, confirmed by a person" in line]
    assert lines
    assert all(len(line) <= 80 for line in lines)


def test_the_way_back_is_asked_for_once(terminal: Terminal) -> None:
    terminal("run", "rush", *START)
    asked = terminal("undo", "rush.1", "--why", "it is over", "--yes")
    assert (asked.status, "Taken back: scenario rush.1." in asked.out) == (0, True)
    assert "only once" in terminal("undo", "rush.1", "--yes").err


def test_an_emergency_says_what_it_lifts_and_a_second_ordinary_one_is_refused(
    terminal: Terminal,
) -> None:
    terminal("lock", "api", "--for", "30m", "--why", "a deployment", "--yes")
    terminal("run", "rush", *START)
    refused = terminal("run", "dear", *START)
    assert "Scenario rush.1 is running, and changes worker-vm too" in refused.err
    made = terminal("run", "worst", *START)
    assert made.status == 0
    assert "Lifted: the lock of api" in made.out
    assert "Suspended: scenario rush.1; no further step of it begins." in made.out


WRONG = (
    (("run", "rsh", *START), 2, "There is no scenario 'rsh'. There is rush, dear, worst, signed."),
    (("run", "rush", "--yes"), 2, "Say why with --why"),
    (("run", "rush", "--to", "replicas=5", *START), 2, "A scenario takes only --plan"),
    (("run", "horizontal_scale", *START), 2, "must know what to change"),
    (("scenarios", "rush.7"), 1, "There is no scenario 'rush.7' that was started."),
    (("undo", "rush.7", "--yes"), 1, "There is no scenario 'rush.7'"),
    (("approve", "rush.7"), 1, "There is no scenario 'rush.7'"),
)


def test_what_cannot_be_is_one_sentence_and_starts_nothing(
    terminal: Terminal, subtests: pytest.Subtests
) -> None:
    for arguments, status, sentence in WRONG:
        with subtests.test(arguments=arguments):
            said = terminal(*arguments)
            assert (said.status, sentence in said.err) == (status, True), said.err
    assert json.loads(terminal("scenarios", "--json").out)["runs"] == []


def test_an_emergency_is_signed_by_who_starts_it_here_and_others_are_told_why_they_cannot(
    terminal: Terminal,
) -> None:
    made = terminal("run", "signed", *START)
    assert made.status == 0, made.err
    shown = terminal("scenarios", "signed.1").out
    wrong = [("ceo", "There is no sign-off as 'ceo'. There is devops, finance, cto.")]
    if "RUNBOOKD_URL" in terminal.env:
        assert "It begins once one of devops, finance has signed: `runbookd signoff" in made.out
        assert "signed.1: unsigned" in shown
        wrong.append(("finance", "olga cannot sign as finance: the token lacks the group"))
    else:
        assert "signed before it as devops by local:" in shown
        wrong.append(("finance", "Scenario signed.1 is running: it is signed before its first"))
    for role, sentence in wrong:
        said = terminal("signoff", "signed.1", "--as", role, "--why", "a test")
        assert (said.status == 0, sentence in said.err) == (False, True), said.err
    listed = terminal("checklist", "signed.1")
    assert listed.status == 0, listed.err
    assert "- [x] Rollback plan prepared\n  - runbookd undo signed.1 puts back out\n" in listed.out
    assert "There is no scenario 'rush.9' that was started." in terminal("checklist", "rush.9").err
