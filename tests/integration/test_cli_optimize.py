"""`runbookd optimize` on a real sandbox and a store with two weeks of readings."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from service.bootstrap.startup import migrate
from service.bootstrap.stores import Stores
from service.domain.readings.readings import HOUR_S, beginning, reading_of
from service.settings import load_settings
from service.store.readings import ReadingStore
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine
from tests.unit.sandbox.support import served


def keep_two_weeks(env: dict[str, str]) -> None:
    """CPU at 10 % at all hours, with 4 instances that cost $48 together."""
    settings = load_settings(env)
    migrate(settings)
    stores = Stores(settings)
    now = beginning(time.time(), HOUR_S)
    hours = [now - number * HOUR_S for number in range(1, 14 * 24)]
    readings = [
        each
        for at in hours
        for each in (
            reading_of("cpu", "", at, [10.0]),
            reading_of("instances", "api", at, [4.0]),
            reading_of("dollars", "api", at, [48.0]),
        )
    ]
    ReadingStore(stores.engine).keep(readings, hours)
    stores.engine.dispose()


def test_it_proposes_levels_and_lists_what_is_unused_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)
    line = CommandLine(monkeypatch, capsys)
    with served() as sandbox:
        volume = {"name": "old", "gb": 100, "days": 30}
        body = {"volumes": [volume, {**volume, "name": "kept", "tags": ["keep"]}]}
        httpx.post(f"{sandbox.url}/_sandbox/billing", json=body, trust_env=False)
        env = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path), "SANDBOX_URL": sandbox.url}
        keep_two_weeks(env)
        said = line("optimize", env=env)
        told = json.loads(line("optimize", "--json", env=env).out)
        wrong = line("optimize", "--zone", "Mars/Base", env=env)
        calls = httpx.get(f"{sandbox.url}/_sandbox/calls", trust_env=False).json()
    assert said.status == 0
    assert "api, mon-fri 00:00 to 24:00 UTC: CPU at most 10 %, 4 → 2 instances" in said.out
    assert "volume" in said.out
    assert [each["name"] for each in told["unused"]] == ["old"]
    assert told["unused"][0]["dollars_month"] == "10.00"
    assert {each["days"] for each in told["off_peak"]} == {"mon-fri", "sat-sun"}
    saved = sum(float(each["saves_dollars_month"]) for each in told["off_peak"])
    assert saved == pytest.approx(24.0, abs=0.02)
    assert "'Mars/Base' is no time zone" in wrong.err
    assert {each["method"] for each in calls if each["vendor"] == "digitalocean"} == {"GET"}
