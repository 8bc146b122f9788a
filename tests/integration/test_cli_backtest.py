"""Backtests over a real store, from the command line: what is read, printed and left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.startup import migrate
from service.bootstrap.stores import Stores
from service.settings import Settings, load_settings
from tests.fakes.alerts import CPU, alert, delivery, resolved
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine, Said

BEGAN = float(int(time.time()) - 86_400)
"""When the alert began."""
SINCE, UNTIL = f"{BEGAN - 60:.0f}", f"{BEGAN + 86_400:.0f}"
PACK = """\
targets:
  api: {kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 6}}
rules:
  - name: cpu
    match: ['alertname="High CPU Usage"']
    action: horizontal_scale
    target: api
    cooldown: %s
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.chdir(ROOT)
    found = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path), "RULES": str(tmp_path / "old.yml")}
    for name, cooldown in (("old", "20m"), ("new", "10m")):
        (tmp_path / f"{name}.yml").write_text(PACK % cooldown)
    if request.param == "postgresql":
        found["DATABASE_URL"] = request.getfixturevalue("postgres").create()
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    found = load_settings(environment)
    migrate(found)
    return found


@pytest.fixture
def stores(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """A store to which an alert was told at 0, 10, 20, 30 and 40 minutes, and its end at 50. Its
    ids are of then, by which a backtest finds what was."""
    made = Stores(settings)
    then = SimpleNamespace(time_ns=lambda: int(BEGAN * 1e9))
    monkeypatch.setattr("service.store.ids.time", then)
    rules = in_force(load_rules(settings))
    admitter = build_admitter(made, lambda: rules)
    for minute in (0, 10, 20, 30, 40, 50):
        at = BEGAN + 60.0 * minute
        told = resolved(CPU) if minute == 50 else alert(CPU)
        admitter.admit([delivery(told, at=at)], at)
    replayed = replace(delivery(alert(CPU, "replayed"), at=BEGAN + 7_200), replay=True)
    admitter.admit([replayed], BEGAN + 7_200)
    yield made
    made.engine.dispose()


@pytest.fixture
def backtest(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    command = CommandLine(monkeypatch, capsys)

    def run(*arguments: str, new: str = "new.yml") -> Said:
        rules = ("--rules", str(tmp_path / new), "--since", SINCE, "--until", UNTIL)
        return command("backtest", *rules, *arguments, env=environment)

    return run


def everything(stores: Stores) -> dict[str, list[str]]:
    """Every row of every table."""
    with stores.engine.connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(sa.text(f'SELECT * FROM "{name}"'))))  # noqa: S608 - our own tables
            for name in sa.inspect(connection).get_table_names()
        }


def test_the_difference_is_counted_told_and_drawn_and_the_store_stays_as_it_is(
    stores: Stores, backtest: Any, tmp_path: Path
) -> None:
    # 20 minutes: at 0, 20 and 40. 10 minutes: at 0, 10, 20 and 30; then there are 6, the maximum.
    before, (stored,) = everything(stores), _alerts(stores, replay=False)
    said = backtest("--chart", str(tmp_path / "diff.svg"))
    assert said.status == 0, said.err
    assert "1 alert in 6 notifications" in said.out
    assert "horizontal_scale api  3         4    +1" in said.out
    assert (
        f"{stored}\n  in force: horizontal_scale api: changed ×3, held by cooldown ×2" in said.out
    )
    assert "No run tells how these were at the start" in said.out
    assert "cost is not known: api" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    ET.parse(tmp_path / "diff.svg")  # noqa: S314 - our own picture
    assert everything(stores) == before


def test_beyond_a_limit_the_exit_status_is_1_and_says_which(stores: Stores, backtest: Any) -> None:
    within = backtest("--fail-on", "actions>+1", "--fail-on", "verdicts>1")
    beyond = backtest("--fail-on", "pages>+5", "--fail-on", "actions>+0")
    assert (within.status, within.err) == (0, "")
    assert (beyond.status, beyond.err) == (1, "actions>+0 fails: actions 3 → 4 (+1).\n")


def test_as_json_a_backtest_is_the_same_each_time(stores: Stores, backtest: Any) -> None:
    first, second = backtest("--json"), backtest("--json")
    assert first.out == second.out
    found = json.loads(first.out)
    assert found["totals"]["actions"] == {"before": 3, "after": 4, "difference": 1}
    assert found["alerts"] == 1
    assert found["beyond"] == []
    (differs,) = found["verdicts"]
    assert differs["after"] == [
        {"action": "horizontal_scale", "target": "api", "became": "changed", "times": 4},
        {
            "action": "horizontal_scale",
            "target": "api",
            "became": "held by max_replicas",
            "times": 1,
        },
    ]


def test_the_rules_in_force_against_themselves_never_differ(stores: Stores, backtest: Any) -> None:
    said = backtest("--fail-on", "verdicts>0", new="old.yml")
    assert said.status == 0
    assert "Every alert comes out the same." in said.out


def test_another_file_can_stand_for_the_rules_in_force(
    stores: Stores, backtest: Any, tmp_path: Path
) -> None:
    said = backtest("--against", str(tmp_path / "new.yml"), "--fail-on", "verdicts>0")
    assert said.status == 0, said.err


def test_the_state_at_the_start_is_the_one_that_a_run_has_told(
    stores: Stores, backtest: Any
) -> None:
    _a_run_found(stores, {"replicas": 6, "size": "professional-xs"})
    found = json.loads(backtest("--json").out)
    # Already six, the maximum: nothing can be added, by either file.
    assert found["totals"]["actions"] == {"before": 0, "after": 0, "difference": 0}
    assert found["totals"]["pages"]["before"] == 1
    # Six of $12 for a day and a minute of a month of 730 hours.
    assert found["totals"]["dollars"]["after"] == round(6 * 12 * (24 + 1 / 60) / 730, 2)


def test_what_is_wrong_is_a_sentence_and_nothing_is_run(
    stores: Stores, backtest: Any, tmp_path: Path
) -> None:
    (tmp_path / "bad.yml").write_text((PACK % "10m").replace("target: api", "target: apx"))
    wrong = backtest(new="bad.yml")
    limit = backtest("--fail-on", "actions+10")
    people = backtest("--approvals", "perhaps")
    span = backtest("--until", SINCE)
    assert (wrong.status, limit.status, people.status, span.status) == (1, 2, 2, 2)
    assert f"{tmp_path / 'bad.yml'}:7: " in wrong.err
    assert limit.err.startswith("--fail-on: 'actions+10' is no limit.")
    assert people.err == "--approvals is granted or refused, and not 'perhaps'.\n"
    assert span.err == "--since has to be before --until: there is no time between them.\n"


def _alerts(stores: Stores, *, replay: bool) -> list[str]:
    query = (
        "SELECT a.id FROM alerts a JOIN deliveries d ON d.id = a.delivery WHERE d.replay = :replay"
    )
    with stores.engine.connect() as connection:
        return list(connection.execute(sa.text(query), {"replay": replay}).scalars())


def _a_run_found(stores: Stores, seen: dict[str, Any]) -> None:
    """The first run of the alert has ended, after it has looked at its target."""
    with stores.engine.begin() as connection:
        (run,) = connection.execute(
            sa.text("SELECT id FROM runs WHERE target IS NOT NULL ORDER BY created_at LIMIT 1")
        ).scalars()
        connection.execute(
            sa.text("UPDATE runs SET status = 'held', ended_at = :at WHERE id = :run"),
            {"at": BEGAN + 5.0, "run": run},
        )
        connection.execute(
            sa.text(
                "INSERT INTO run_steps (run, position, name, attempt, status, started_at, "
                "ended_at, detail) VALUES (:run, 1, 'prepare', 1, 'done', :at, :at, :detail)"
            ),
            {"run": run, "at": BEGAN + 4.0, "detail": json.dumps({"seen": seen})},
        )
