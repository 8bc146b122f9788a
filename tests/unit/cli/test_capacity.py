"""`runbookd capacity`: by what it plans, what it prints, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
import types
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from service.domain.readings.readings import DAY_S, Reading, beginning, reading_of
from service.store import schema
from service.store.database import open_engine
from service.store.readings import ReadingStore
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine

BY_THE_RUNBOOK = ("capacity", "--model", "runbook")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A store without a reading, and the shipped rules."""
    monkeypatch.chdir(ROOT)
    found = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path)}
    engine = open_engine(f"sqlite:///{tmp_path / 'runbookd.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    return found


def keep(home: dict[str, str], *readings: Reading) -> None:
    engine = open_engine(f"sqlite:///{home['RUNBOOKD_HOME']}/runbookd.db")
    ReadingStore(engine).keep(readings, [])
    engine.dispose()


def days(metric: str, count: int, factor: float, start: float = 100.0) -> list[Reading]:
    """A reading of each of the last days before today, growing by `factor` in a month."""
    today = beginning(time.time(), DAY_S)
    return [
        reading_of(
            metric,
            "",
            today - (count - day) * DAY_S,
            [start * factor ** (day / 30.4375) * math.exp(0.01 * (day % 3))],
        )
        for day in range(count)
    ]


def test_the_runbooks_formulas_need_neither_store_nor_rules(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    nowhere = {"RUNBOOKD_HOME": str(tmp_path / "none"), "RULES": "none.yml"}
    said = runbookd(*BY_THE_RUNBOOK, "--growth", "0.2", "--format", "csv", env=nowhere)
    assert said.status == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["users"] for row in rows[2:]] == ["17279", "20736", "24883", "29859"]
    assert rows[5]["dollars"] == rows[5]["dollars_high"] == "376.23"


def test_the_table_says_what_grows_and_when_the_budget_is_passed(runbookd: CommandLine) -> None:
    said = runbookd(*BY_THE_RUNBOOK, "--growth", "1", "--months", "2")
    assert said.out.startswith("Growth: 100.0 % a month, as given.")
    assert "The budget of $200 a month is passed in " in said.out
    assert "40,000" in said.out


def test_growth_is_measured_on_the_readings_that_are_kept(
    runbookd: CommandLine, home: dict[str, str]
) -> None:
    keep(home, *days("rps", 60, 1.5))
    said = runbookd(*BY_THE_RUNBOOK, "--format", "json", env=home)
    assert said.status == 0, said.err
    growth = json.loads(said.out)["growth"]
    assert growth["mid"] == pytest.approx(0.5, abs=0.03)
    assert growth["low"] <= growth["mid"] <= growth["high"]
    assert growth["days"] == 60
    assert "Growth of rps: 5" in runbookd(*BY_THE_RUNBOOK, env=home).out


def test_today_is_not_over_and_does_not_count(runbookd: CommandLine, home: dict[str, str]) -> None:
    today = beginning(time.time(), DAY_S)
    keep(home, *days("rps", 28, 1.5), reading_of("rps", "", today, [1e9]))
    said = runbookd(*BY_THE_RUNBOOK, "--format", "json", env=home)
    assert json.loads(said.out)["growth"]["days"] == 28


@pytest.mark.parametrize("count", [0, 27])
def test_without_four_weeks_of_readings_it_asks_for_the_growth(
    runbookd: CommandLine, home: dict[str, str], count: int
) -> None:
    keep(home, *days("rps", count, 1.5))
    said = runbookd("capacity", env=home)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"{count} days of rps are kept")
    assert "--growth 0.2" in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--growth", "nan"), "--growth is the growth in a month"),
        (("--growth", "-0.5"), "--growth is the growth in a month"),
        (("--growth", "0.2", "--months", "0"), "--months must be from 1 to 60, not 0."),
        (("--growth", "0.2", "--what-if", "pupils=9"), "--what-if pupils: how many there are now"),
        (("--growth", "0.2", "--what-if", "rps=0"), "--what-if rps must be a number above 0"),
        (("--growth", "0.2", "--max-connections", "9"), "--per-instance and --max-connections"),
        (("--growth", "0.2", "--out", "x"), "--out is for csv, json, svg and png"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(
    runbookd: CommandLine, home: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    keep(home, *days("rps", 7, 1.0))
    said = runbookd("capacity", *arguments, env=home)
    assert (said.status, said.out) == (2, "")
    assert sentence in said.err
    assert not Path("x").exists()


def test_the_targets_are_planned_by_their_ladders_and_prices(
    runbookd: CommandLine, home: dict[str, str]
) -> None:
    today = beginning(time.time(), DAY_S)
    keep(
        home,
        *days("cpu", 7, 1.0, 35.0),
        *days("memory", 7, 1.0, 39.0),
        reading_of("instances", "api", today, [4.0]),
    )
    said = runbookd("capacity", "--growth", "1", "--months", "3", "--format", "json", env=home)
    assert said.status == 0, said.err
    plan = json.loads(said.out)
    assert plan["budget"] == 200
    assert [month["api"] for month in plan["months"]] == [
        "5 × professional-xs",
        "9 × professional-xs",
        "8 × professional-s",
    ]
    assert [month["worker-vm"] for month in plan["months"]] == [
        "s-1vcpu-1gb",
        "s-1vcpu-2gb",
        "s-2vcpu-4gb",
    ]
    first = plan["months"][0]
    assert first["dollars"] == 5 * 12 + 6 + 60
    assert any("api: CPU of 35 % counts as 51 % full." in each for each in plan["assumed"])
    assert any("database: how busy it is is not known" in each for each in plan["assumed"])


def test_a_known_demand_can_be_supposed_and_an_unknown_one_says_how_to_know_it(
    runbookd: CommandLine, home: dict[str, str]
) -> None:
    keep(home, *days("rps", 7, 1.0))
    told = [
        json.loads(
            runbookd(
                *("capacity", "--growth", "0", "--months", "1", "--format", "json"),
                *more,
                env=home,
            ).out
        )["months"][0]["times"]
        for more in ((), ("--what-if", "rps=505"))
    ]
    assert told == [1.0, pytest.approx(5.0, abs=0.02)]
    said = runbookd("capacity", "--growth", "0", "--what-if", "users=5", env=home)
    assert "known are rps. Name it in a rule file" in said.err


def test_the_connections_of_all_instances_are_held_against_the_database(
    runbookd: CommandLine, home: dict[str, str]
) -> None:
    pools = ("--per-instance", "30", "--max-connections", "200")
    said = runbookd("capacity", "--growth", "0.5", *pools, env=home)
    assert "instances × 30 connections are too many for the database" in said.out


def test_a_picture_is_written_to_a_file_or_printed(
    runbookd: CommandLine, home: dict[str, str], tmp_path: Path
) -> None:
    drawn = (*BY_THE_RUNBOOK, "--growth", "0.2", "--format", "svg")
    printed = runbookd(*drawn).out
    file = tmp_path / "capacity.svg"
    assert runbookd(*drawn, "--out", str(file)).out == f"{file} was written.\n"
    assert file.read_text(encoding="utf-8") == printed
    assert ET.fromstring(printed).tag.endswith("svg")  # noqa: S314 - our own
    said = runbookd(*drawn, "--out", str(tmp_path / "none" / "x.svg"))
    assert said.status == 1
    assert "cannot be written: No such file or directory." in said.err


def test_a_png_without_matplotlib_says_what_to_install(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = runbookd(*BY_THE_RUNBOOK, "--growth", "0.2", "--format", "png")
    assert (said.status, said.out) == (1, "")
    assert "pip install 'runbookd[plot]'" in said.err


class Figure:
    """A figure of matplotlib that notes what is drawn."""

    drawn: dict[str, Any]
    yaxis = types.SimpleNamespace(set_major_formatter=lambda _form: None)

    def __init__(self, **_: Any) -> None:
        type(self).drawn = {}

    def subplots(self) -> Figure:
        return self

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **_: self.drawn.update({name: given})

    def savefig(self, content: io.BytesIO, *, format: str) -> None:  # noqa: A002 - matplotlib's own
        content.write(f"a {format}".encode())


def test_a_png_is_drawn_by_matplotlib_from_the_same_values(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = types.ModuleType("matplotlib.figure")
    module.Figure = Figure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)
    file = tmp_path / "capacity.png"
    drawn = (*BY_THE_RUNBOOK, "--growth", "1", "--months", "2", "--format", "png")
    assert runbookd(*drawn, "--out", str(file)).status == 0
    assert file.read_bytes() == b"a png"
    assert Figure.drawn["plot"][1] == [pytest.approx(280.0), pytest.approx(504.0)]
    assert Figure.drawn["axhline"] == (200.0,)
