"""`runbookd cost` on a real sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine
from tests.unit.sandbox.support import served


def test_it_prints_booked_running_and_projected_and_the_same_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)
    line = CommandLine(monkeypatch, capsys)
    with served() as sandbox:
        env = {
            **SANDBOX_IDS,
            "RUNBOOKD_HOME": str(tmp_path),
            "SANDBOX_URL": sandbox.url,
            "RULES": "rules/quizmentor.yml,rules/jobs.yml",
        }
        said = line("cost", env=env)
        told = json.loads(line("cost", "--json", env=env).out)
        assert list(tmp_path.iterdir()) == [], "looking makes nothing"
    assert said.status == 0
    for part in ("supabase-pro", "$25.00", "2 × professional-xs", "ci_micro", "DigitalOcean has"):
        assert part in said.out
    assert told["complete"] is True
    assert told["dollars_month"] == "80.00"
    assert told["budget"] == "200.00"
    assert {each["kind"] for each in told["lines"]} == {
        "app",
        "database",
        "droplet",
        "fixed",
        "supabase",
    }
