"""Replays on a real database: what a preview may not touch, and what executing one does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.bootstrap.replay import Replayer, ReplayImpossible, build_replayer, read_payload
from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.startup import migrate
from service.bootstrap.stores import Stores
from service.domain.alerts.alert import Quarantined
from service.domain.decisions.decision import Check, Verdict
from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery
from service.settings import Settings, load_settings
from service.store.queries import AlertFilter, RunFilter
from service.store.replays import Replays
from tests.fakes.alerts import NOW, delivery
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine

PAYLOADS = ROOT / "tests" / "payloads"
FIRING = PAYLOADS / "alertmanager-firing.json"
RESOLVED = PAYLOADS / "alertmanager-resolved.json"
MIXED = PAYLOADS / "alertmanager-mixed.json"


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.chdir(ROOT)
    found = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path)}
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
def stores(settings: Settings) -> Iterator[Stores]:
    made = Stores(settings)
    yield made
    made.engine.dispose()


@pytest.fixture
def replayer(settings: Settings, stores: Stores) -> Replayer:
    return Replayer(settings, stores, load_rules(settings))


@pytest.fixture
def runbookd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(monkeypatch, capsys)


def deliver(stores: Stores, path: Path, source: str = "alertmanager", **sender: Any) -> list[str]:
    """Take a payload in as web does; the ids of its alerts."""
    admitter = build_admitter(stores, lambda: in_force(load_rules(stores.settings)))
    now = time.time()
    sent = Delivery(read_payload(path, source), now, **sender)
    (receipt,) = admitter.admit([sent], now)
    return list(dict.fromkeys(each.alert for each in receipt.verdicts))


def free_cooldowns(stores: Stores) -> None:
    """As if every cooldown were over."""
    with stores.engine.begin() as connection:
        connection.execute(sa.text("UPDATE cooldowns SET until = 0"))


def everything(stores: Stores) -> dict[str, list[Any]]:
    """Every row of every table."""
    with stores.engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        return {
            name: sorted(map(repr, connection.execute(sa.text(f'SELECT * FROM "{name}"'))))  # noqa: S608 - our own tables
            for name in names
        }


def test_a_preview_says_act_and_touches_nothing(stores: Stores, replayer: Replayer) -> None:
    before = everything(stores)
    (first, *_) = replayer.preview([read_payload(FIRING, "alertmanager")])
    (decision,) = first.decisions
    assert (decision.verdict, decision.run) == (Verdict.ACT, "worker-vm.up.1")
    assert first.traces[-1].matched
    assert first.traces[-1].rule.name == "high-memory"
    assert everything(stores) == before


def test_in_a_preview_the_second_alert_of_a_target_waits_for_the_first(
    replayer: Replayer,
) -> None:
    previews = replayer.preview([read_payload(MIXED, "alertmanager")])
    verdicts = [preview.decisions[0] for preview in previews]
    acts = [each for each in verdicts if each.verdict is Verdict.ACT]
    assert len(acts) == 1
    assert [each.guard for each in verdicts if each is not acts[0]] == ["resolved", "in_progress"]


def test_what_an_earlier_version_stored_without_a_value_changes_nothing(
    stores: Stores, replayer: Replayer
) -> None:
    (alert, *_) = deliver(stores, PAYLOADS / "grafana-legacy-nothing-measured.json", "grafana")
    with stores.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alerts SET kind = 'condition'"))
    (preview,) = replayer.preview(replayer.by_id([alert]))
    held, told = preview.decisions
    assert (held.rule, held.verdict, held.guard) == ("high-memory", Verdict.HOLD, "unmeasured")
    assert told.rule == "no-data"


def test_a_preview_consumes_no_cooldown_and_tells_the_one_that_rests(
    stores: Stores, replayer: Replayer
) -> None:
    (alert, *_) = deliver(stores, FIRING)
    for _ in range(2):
        (preview, *_) = replayer.preview(replayer.by_id([alert]))
        assert preview.decisions[0].guard == "in_progress"
    free_cooldowns(stores)
    for _ in range(2):
        (preview, *_) = replayer.preview(replayer.by_id([alert]))
        assert preview.decisions[0].run == "worker-vm.up.2"


def test_a_preview_could_not_write_if_it_tried(stores: Stores, settings: Settings) -> None:
    with (
        pytest.raises(StoreUnavailable, match=r"read-?only"),
        Replays(stores.engine).reading() as reading,
    ):
        reading.claim(["worker-vm.up"], 0.0)
    deliver(stores, FIRING)  # The connection goes back to the pool as it was.


def test_stored_alerts_come_back_as_they_were_told_and_as_firing(
    stores: Stores, replayer: Replayer
) -> None:
    deliver(stores, MIXED)
    told = read_payload(MIXED, "alertmanager")
    (again,) = replayer.stored(AlertFilter(), limit=50)
    assert (again.receiver, again.group_key) == (told.receiver, told.group_key)
    assert dict(again.group_labels) == dict(told.group_labels)
    assert {a.fingerprint: dict(a.labels) for a in again.alerts} == {
        a.fingerprint: dict(a.labels) for a in told.alerts
    }
    assert all(alert.firing and alert.ends_at is None for alert in again.alerts)


def test_stored_alerts_are_chosen_by_name_source_and_time_oldest_first(
    stores: Stores, replayer: Replayer
) -> None:
    deliver(stores, FIRING)
    deliver(stores, PAYLOADS / "grafana-firing.json", source="grafana")
    both = replayer.stored(AlertFilter(), limit=50)
    assert [each.source for each in both] == ["alertmanager", "grafana"]
    newest = replayer.stored(AlertFilter(), limit=1)
    assert [each.source for each in newest] == ["grafana"]
    assert [each.source for each in replayer.stored(AlertFilter(source="alertmanager"), 50)] == [
        "alertmanager"
    ]
    assert replayer.stored(AlertFilter(name="no such"), 50) == []
    assert replayer.stored(AlertFilter(until=time.time() - 3600), 50) == []


def test_an_executed_replay_is_a_run_of_its_own_marked_as_one(
    stores: Stores, replayer: Replayer
) -> None:
    (alert, *_) = deliver(stores, FIRING)
    free_cooldowns(stores)
    (receipt,) = replayer.execute(replayer.by_id([alert]))
    assert receipt.verdicts[0].decision.run == "worker-vm.up.2"
    marked = {run["id"]: run["replay"] for run in stores.queries.runs(RunFilter()).items}
    assert marked == {"worker-vm.up.1": False, "worker-vm.up.2": True}


def test_a_replay_leaves_no_alert_firing_that_no_sender_would_resolve(
    stores: Stores, replayer: Replayer
) -> None:
    deliver(stores, FIRING)
    deliver(stores, RESOLVED)
    free_cooldowns(stores)
    newest = replayer.stored(AlertFilter(), limit=1)
    (receipt,) = replayer.execute(newest)
    assert receipt.verdicts[0].decision.verdict is Verdict.ACT
    assert stores.queries.alerts(AlertFilter(firing=True)).items == ()


def test_a_replay_of_what_still_fires_is_no_sign_of_life(
    stores: Stores, replayer: Replayer
) -> None:
    (alert, *_) = deliver(stores, FIRING)
    before = stores.queries.alert(alert)
    replayer.execute(replayer.by_id([alert]))
    assert stores.queries.alert(alert) == before


def test_a_replay_pages_nobody_about_an_alert_that_is_over(
    stores: Stores, replayer: Replayer, tmp_path: Path
) -> None:
    payload = FIRING.read_text(encoding="utf-8").replace("High Memory Usage", "High Error Rate")
    (tmp_path / "page.json").write_text(payload, encoding="utf-8")
    told = read_payload(tmp_path / "page.json", "alertmanager")
    (receipt,) = replayer.execute([told])
    decision = receipt.verdicts[0].decision
    assert (decision.verdict, decision.guard) == (Verdict.HOLD, "resolved")
    real = deliver(stores, tmp_path / "page.json")
    stored = stores.queries.explain(real[0])
    assert stored is not None
    assert stored["decisions"][-1]["verdict"] == "act", "the sender's own alert does page"


def test_an_executed_replay_keeps_to_the_cooldown(stores: Stores, replayer: Replayer) -> None:
    (alert, *_) = deliver(stores, FIRING)
    (receipt,) = replayer.execute(replayer.by_id([alert]))
    assert receipt.verdicts[0].decision.verdict is Verdict.HOLD
    assert len(stores.queries.runs(RunFilter()).items) == 1


def test_an_unknown_alert_and_an_unreadable_payload_are_told(
    replayer: Replayer, tmp_path: Path
) -> None:
    with pytest.raises(ReplayImpossible, match="There is no alert a-none"):
        replayer.by_id(["a-none"])
    with pytest.raises(ReplayImpossible, match="cannot be read"):
        read_payload(tmp_path / "none.json", "alertmanager")
    (tmp_path / "not.json").write_text("{")
    with pytest.raises(ReplayImpossible, match=r"not\.json: "):
        read_payload(tmp_path / "not.json", "alertmanager")


def test_the_command_shows_what_would_be_decided_and_that_nothing_was_touched(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    said = runbookd("replay", "--file", str(FIRING), env=environment)
    assert said.status == 0
    assert "act" in said.out
    assert "vertical_scale on worker-vm" in said.out
    assert "Nothing was touched" in said.out
    assert stores.queries.runs(RunFilter()).items == ()


def test_the_command_executes_names_the_run_and_shows_decisions_in_their_one_shape(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    said = runbookd("replay", "--file", str(FIRING), "--execute", "--json", env=environment)
    answer = json.loads(said.out)
    assert answer["executed"] is True
    told = answer["items"][0]
    assert told["run"] == "worker-vm.up.1"
    stored = json.loads(runbookd("explain", told["alert"], "--json", env=environment).out)
    (decision,) = stored["decisions"]
    assert {key: decision[key] for key in told} == told
    listed = runbookd("runs", env=environment)
    assert "replay of High Memory Usage" in listed.out


def test_explain_shows_rules_guards_and_runs_of_an_alert_and_of_a_decision(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    (alert, *_) = deliver(stores, FIRING)
    locked = Check("locked", passed=False, saw="worker-vm is locked by another")
    stores.runs.set_checks("worker-vm.up.1", [locked])
    by_alert = runbookd("explain", alert, env=environment)
    assert by_alert.status == 0
    for part in (
        'alertname=~"High Memory Usage|Memory Above Scaling Trigger"',
        "cooldown: worker-vm.up has never been claimed",
        "What the worker checked for worker-vm.up.1",
        "locked: worker-vm is locked by another",
        "alertmanager",
    ):
        assert part in by_alert.out
    stored = json.loads(runbookd("explain", alert, "--json", env=environment).out)
    decision = stored["decisions"][0]["id"]
    assert stored["rules"]["consulted"][-1]["matched"] is True
    by_decision = json.loads(runbookd("explain", decision, "--json", env=environment).out)
    assert by_decision["alert"]["id"] == alert
    unknown = runbookd("explain", "d-none", env=environment)
    assert unknown.status == 1
    assert "There is no alert, decision or run 'd-none'" in unknown.err


def test_explain_and_alerts_tell_who_sent_an_alert(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    (alert, *_) = deliver(stores, FIRING, credential="prod", address="192.0.2.7")
    shown = runbookd("explain", alert, env=environment).out
    assert "alertmanager, credential prod, at 192.0.2.7, first at" in shown
    (listed,) = json.loads(runbookd("alerts", "--json", env=environment).out)["items"]
    assert (listed["credential"], listed["address"]) == ("prod", "192.0.2.7")


def test_explain_takes_a_run_a_name_or_the_last_alert(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    (alert, *_) = deliver(stores, FIRING)
    by_run = runbookd("explain", "worker-vm.up.1", env=environment)
    assert by_run.out.startswith("what happened")
    assert "\nworker-vm.up.1: queued" in by_run.out
    assert alert in by_run.out
    assert "Rules consulted" in by_run.out
    for named in (("High Memory Usage",), ("--last",)):
        told = json.loads(runbookd("explain", *named, "--json", env=environment).out)
        assert told["alert"]["id"] == alert
    for wrong in ((), ("a-1", "--last")):
        assert runbookd("explain", *wrong, env=environment).status == 2


def test_explain_says_that_there_is_no_alert_yet(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    said = runbookd("explain", "--last", env=environment)
    assert (said.status, "There is no alert yet" in said.err) == (1, True)


def test_alerts_are_listed_with_how_long_ago_they_came(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    assert "There are no such alerts" in runbookd("alerts", env=environment).out
    (alert, *_) = deliver(stores, FIRING)
    listed = runbookd("alerts", "--firing", env=environment).out
    assert alert in listed
    assert "High Memory Usage" in listed
    assert re.search(rf"{alert} +firing +(now|\d+ s ago)", listed), listed
    assert alert not in runbookd("alerts", "--resolved", env=environment).out
    told = json.loads(runbookd("alerts", "--json", env=environment).out)
    assert [each["id"] for each in told["items"]] == [alert]


def test_what_could_not_be_read_is_listed_with_its_reason(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    assert "could be read" in runbookd("quarantine", env=environment).out
    bad = Quarantined(3, "`status` is 'ok', neither firing nor resolved.", "{}")
    build_admitter(stores, lambda: in_force(load_rules(stores.settings))).admit(
        [delivery(quarantined=[bad])], NOW
    )
    listed = runbookd("quarantine", env=environment).out
    assert "4" in listed
    assert bad.reason in listed
    (told,) = json.loads(runbookd("quarantine", "--json", env=environment).out)["items"]
    assert (told["index"], told["reason"]) == (3, bad.reason)


def test_a_status_that_no_run_has_is_an_error_that_names_the_known_ones(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    said = runbookd("runs", "--status", "faild", env=environment)
    assert said.status == 2
    for known in ("queued", "running", "succeeded", "held", "failed"):
        assert known in said.err


@pytest.mark.parametrize("columns", [80, 120])
def test_a_run_is_listed_with_its_alert_and_rule_and_its_id_is_never_broken(
    runbookd: CommandLine,
    stores: Stores,
    environment: dict[str, str],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver(stores, FIRING)
    monkeypatch.setenv("COLUMNS", str(columns))
    listed = runbookd("runs", env=environment).out
    assert max(map(len, listed.splitlines())) <= columns
    assert "worker-vm.up.1 " in listed
    for word in ("High", "Memory", "Usage", "(rule", "high-memory)"):
        assert word in listed


@pytest.mark.parametrize("columns", [80, 120])
def test_the_longest_id_of_a_list_is_never_broken(
    runbookd: CommandLine,
    stores: Stores,
    environment: dict[str, str],
    tmp_path: Path,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ids are copied, so a list breaks everything else first."""
    payload = json.loads(FIRING.read_text(encoding="utf-8"))
    payload["groupLabels"]["alertname"] = "Certificate Expiry"
    for each in payload["alerts"]:
        each["labels"]["alertname"] = "Certificate Expiry"
    (tmp_path / "unknown.json").write_text(json.dumps(payload))
    bad = Quarantined(3, "`status` is 'ok', neither firing nor resolved.", "{}")
    (alert, *_) = deliver(stores, tmp_path / "unknown.json")
    build_admitter(stores, lambda: in_force(load_rules(stores.settings))).admit(
        [delivery(quarantined=[bad])], NOW
    )
    ids = {
        "runs": [run["id"] for run in stores.queries.runs(RunFilter()).items],
        "alerts": [alert],
        "quarantine": [
            each["id"]
            for each in json.loads(runbookd("quarantine", "--json", env=environment).out)["items"]
        ],
    }
    assert max(map(len, ids["runs"])) >= 30
    monkeypatch.setenv("COLUMNS", str(columns))
    for command, expected in ids.items():
        listed = runbookd(command, env=environment).out.splitlines()
        assert max(map(len, listed)) <= columns
        assert [line.split()[0] for line in listed if line.split()[0] in expected] == expected


def test_runs_shows_one_with_its_cause_and_says_when_there_is_none(
    runbookd: CommandLine, stores: Stores, environment: dict[str, str]
) -> None:
    assert "There are no such runs" in runbookd("runs", env=environment).out
    (alert, *_) = deliver(stores, FIRING)
    one = runbookd("runs", "worker-vm.up.1", env=environment)
    assert one.status == 0
    assert alert in one.out
    assert "queued" in one.out
    missing = runbookd("runs", "worker-vm.up.99", env=environment)
    assert missing.status == 1
    assert "There is no run 'worker-vm.up.99'" in missing.err


def test_a_replayer_is_built_from_the_settings_alone(settings: Settings) -> None:
    assert build_replayer(settings).book.hash == load_rules(settings).hash
