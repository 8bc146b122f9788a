"""The shipped rules and examples: their own programs accept them, and they fit together."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.domain.durations import parse_duration
from service.domain.watchdogs import ABSENT_S
from tests import programs
from tests.prometheus_rules import divided, shorten

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules" / "prometheus" / "quizmentor.rules.yml"
WATCHER = ROOT / "rules" / "prometheus" / "runbookd.rules.yml"
WATCHDOG = ROOT / "rules" / "prometheus" / "watchdog.rules.yml"
PACK = ROOT / "rules" / "quizmentor.yml"
ALERTMANAGER = ROOT / "alertmanager-example.yml"
DASHBOARD = ROOT / "grafana-dashboard-example.json"
GRAFANA = ROOT / "grafana-contact-point-example.yml"

RUNBOOK_ALERTS = {
    "High CPU Usage": ("avg(cpu_usage) > 80", "5m", "warning"),
    "High Memory Usage": ("avg(memory_usage) > 90", "5m", "critical"),
    "High Error Rate": ("rate(errors[5m]) > 0.01", "2m", "critical"),
    "Slow Response Time": ("histogram_quantile(0.95, response_time) > 500", "5m", "warning"),
    "Database Connection Pool Exhausted": ("db_connections_available < 5", "1m", "critical"),
}
"""Runbook, Alert Configuration."""

ACTIONS = {
    "High CPU Usage": ("horizontal_scale", "api"),
    "CPU Above Scaling Trigger": ("horizontal_scale", "api"),
    "Request Rate Above Scaling Trigger": ("horizontal_scale", "api"),
    "High Memory Usage": ("vertical_scale", "worker-vm"),
    "Memory Above Scaling Trigger": ("vertical_scale", "worker-vm"),
    "Database Connection Pool Exhausted": ("scale_database", "database"),
    "High Error Rate": ("page_oncall", None),
    "Error Rate Above Scaling Trigger": ("page_oncall", None),
    "Slow Response Time": ("investigate", None),
    "Response Time Above Scaling Trigger": ("investigate", None),
}
"""Runbook, Alert Configuration and the decision tree: what is done on each alert, and on what."""


def load(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def alerts() -> dict[str, dict[str, Any]]:
    rules = [rule for group in load(RULES)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def first_rule_for(alertname: str) -> dict[str, Any] | None:
    """The rule of the pack for this name; its matchers are plain enough to try here."""
    for rule in load(PACK)["rules"]:
        (matcher,) = rule["match"]
        found = re.fullmatch(r'alertname(=~?)"(.*)"', matcher)
        assert found is not None, f"{rule['name']} asks for more than the alert's name: {matcher}"
        wanted = found[2] if found[1] == "=~" else re.escape(found[2])
        if re.fullmatch(wanted, alertname):
            return dict(rule)
    return None


def run(program: str, package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs.require(program, package), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ---- The shipped files ----


def test_promtool_accepts_the_shipped_rules() -> None:
    result = run("promtool", "prometheus", "check", "rules", str(RULES))

    assert result.returncode == 0, result.stdout + result.stderr
    assert "14 rules found" in result.stdout


@pytest.mark.parametrize("rules", [RULES, WATCHER, WATCHDOG], ids=lambda path: path.stem)
def test_the_shipped_rules_fire_and_stay_silent_at_the_edges(rules: Path) -> None:
    tests = rules.with_suffix(".test.yml")

    result = run("promtool", "prometheus", "test", "rules", str(tests))

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_alerts_on_runbookd_ask_for_metrics_that_its_page_lists() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"runbookd_[a-z_]+", WATCHER.read_text(encoding="utf-8")))
    assert {name for name in asked if f"`{name}" not in page} == set()
    assert len(asked) == 12


def test_the_dashboard_asks_prometheus_for_what_its_page_lists_and_each_panel_says_what_it_is(
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    names = {
        re.sub("_bucket$", "", name)
        for expression in asked
        for name in re.findall(r"runbookd_[a-z_]+", expression)
    }
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert [panel["title"] for panel in panels if not panel["description"].endswith(".")] == []
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    result = run("promtool", "prometheus", "check", "rules", str(file))
    assert f"{len(asked)} rules found" in result.stdout, result.stdout + result.stderr


def test_promtool_accepts_the_rules_with_every_duration_divided_by_60(tmp_path: Path) -> None:
    short = tmp_path / "short.rules.yml"
    short.write_text(shorten(RULES.read_text(encoding="utf-8")), encoding="utf-8")

    result = run("promtool", "prometheus", "check", "rules", str(short))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("factor", [1, 60])
def test_amtool_accepts_the_alertmanager_example(tmp_path: Path, factor: int) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text(shorten(ALERTMANAGER.read_text(encoding="utf-8"), factor), encoding="utf-8")

    result = run("amtool", "prometheus-alertmanager", "check-config", str(config))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", RUNBOOK_ALERTS)
def test_the_runbooks_alerts_are_taken_literally(name: str) -> None:
    rule = alerts()[name]

    assert (rule["expr"], rule["for"], rule["labels"]["severity"]) == RUNBOOK_ALERTS[name]
    assert "trigger" not in rule["labels"]


def test_the_scaling_triggers_and_nothing_else_are_marked_as_such() -> None:
    marked = {name for name, rule in alerts().items() if rule["labels"].get("trigger") == "scaling"}

    assert marked == alerts().keys() - RUNBOOK_ALERTS.keys()
    assert len(marked) == 5


def test_each_alert_says_what_happened_how_much_and_where_to_read_on() -> None:
    for name, rule in alerts().items():
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, name
        assert "$value" in rule["annotations"]["description"], name


def test_what_is_recorded_comes_before_the_alerts_that_read_it() -> None:
    (group,) = load(RULES)["groups"]
    kinds = ["record" if "record" in rule else "alert" for rule in group["rules"]]

    assert kinds == sorted(kinds, reverse=True)


@pytest.mark.parametrize("name", ACTIONS)
def test_the_pack_does_what_the_runbook_says(name: str) -> None:
    rule = first_rule_for(name)

    assert rule is not None
    assert (rule["action"], rule.get("target")) == ACTIONS[name]


def test_the_table_of_actions_names_every_alert_that_is_shipped() -> None:
    assert alerts().keys() == ACTIONS.keys()


def test_the_pack_leaves_unknown_alerts_to_the_engine() -> None:
    assert first_rule_for("Certificate Expires Soon") is None


def test_rules_for_one_target_and_action_share_one_cooldown() -> None:
    cooldowns: dict[tuple[str, str], set[str]] = {}
    for rule in load(PACK)["rules"]:
        if "target" in rule:
            key = (rule["target"], rule["action"])
            cooldowns.setdefault(key, set()).add(rule["cooldown"])

    assert cooldowns == {
        ("api", "horizontal_scale"): {"10m"},
        ("worker-vm", "vertical_scale"): {"30m"},
        ("database", "scale_database"): {"30m"},
    }


def test_the_packs_targets_are_used_and_have_the_runbooks_bounds() -> None:
    pack = load(PACK)

    assert pack["targets"].keys() == {rule["target"] for rule in pack["rules"] if "target" in rule}
    assert pack["targets"]["api"]["replicas"] == {"min": 2, "max": 10, "limit": 20}
    assert pack["targets"]["worker-vm"]["sizes"][-1] == "s-4vcpu-8gb"
    assert pack["targets"]["database"]["sizes"][0] == "ci_micro"


def test_alertmanager_and_grafana_tell_of_resolved_alerts_and_leave_none_out() -> None:
    (receiver,) = load(ALERTMANAGER)["receivers"]
    (webhook,) = receiver["webhook_configs"]
    (point,) = load(GRAFANA)["contactPoints"]
    (contact,) = point["receivers"]

    assert (webhook["send_resolved"], webhook["max_alerts"]) == (True, 0)
    assert webhook["url"].endswith("/webhooks/alertmanager")
    assert webhook["http_config"]["authorization"]["type"] == "Bearer"
    assert (contact["disableResolveMessage"], contact["settings"]["maxAlerts"]) == (False, "0")
    assert contact["settings"]["url"].endswith("/webhooks/grafana")
    assert contact["settings"]["authorization_scheme"] == "Bearer"


def test_grafana_and_alertmanager_group_alike() -> None:
    keys = ("group_by", "group_wait", "group_interval", "repeat_interval")
    route = load(ALERTMANAGER)["route"]
    (policy,) = load(GRAFANA)["policies"]
    (nested,) = policy["routes"]

    assert {key: nested[key] for key in keys} == {key: route[key] for key in keys}


def test_alerts_on_the_same_reading_are_told_as_one_group() -> None:
    _, nested = load(ALERTMANAGER)["route"]["routes"]
    assert nested == {"matchers": ['signal!=""'], "group_by": ["signal", "service"]}

    (group,) = load(RULES)["groups"]
    signals = {
        rule["alert"]: rule["labels"]["signal"] for rule in group["rules"] if "alert" in rule
    }
    assert signals["Slow Response Time"] == signals["Response Time Above Scaling Trigger"]
    assert signals["High Error Rate"] == signals["Error Rate Above Scaling Trigger"]
    assert signals["High CPU Usage"] == signals["CPU Above Scaling Trigger"]
    assert signals["High Memory Usage"] == signals["Memory Above Scaling Trigger"]
    assert len(set(signals.values())) == 6


def test_the_watchdog_is_told_often_enough_for_several_words_within_its_absence() -> None:
    (rule,) = load(WATCHDOG)["groups"][0]["rules"]
    first, _ = load(ALERTMANAGER)["route"]["routes"]
    assert first["matchers"] == [f'alertname="{rule["alert"]}"']
    assert list(load(PACK)["watchdogs"]) == [rule["alert"]]
    # Alertmanager looks at repeat_interval once every group_interval.
    between_s = max(parse_duration(first[key]) for key in ("group_interval", "repeat_interval"))
    assert between_s.total_seconds() * 5 <= ABSENT_S
    assert parse_duration(first["repeat_interval"]) < parse_duration(first["group_interval"])


def test_amtool_sends_the_watchdog_by_its_own_route(tmp_path: Path) -> None:
    """With a receiver of its own in the place of the shared one, to tell the routes apart."""
    config = load(ALERTMANAGER)
    config["route"]["routes"][0]["receiver"] = "by-its-own-route"
    config["receivers"].append({"name": "by-its-own-route"})
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    asked = ("config", "routes", "test", f"--config.file={file}")

    for labels, receiver in (
        (["alertname=Watchdog", "severity=none", "service=prometheus"], "by-its-own-route"),
        (["alertname=High CPU Usage", "signal=cpu", "service=api"], "runbookd"),
    ):
        found = run("amtool", "prometheus-alertmanager", *asked, *labels)
        assert found.stdout.strip() == receiver, found.stdout + found.stderr


# ---- Durations ----


@pytest.mark.parametrize(
    ("duration", "factor", "expected"),
    [
        ("5m", 60, "5s"),
        ("1m", 60, "1s"),
        ("1h", 60, "60s"),
        ("1h30m", 60, "90s"),
        ("1d", 60, "1440s"),
        ("1w", 7, "86400s"),
        ("15s", 60, "250ms"),
        ("10s", 60, "167ms"),
        ("500ms", 1, "500ms"),
        ("1s", 2000, "1ms"),
        ("1s", 5000, "1ms"),
        ("0s", 60, "0s"),
        ("5m", 1, "300s"),
    ],
)
def test_a_duration_is_divided(duration: str, factor: int, expected: str) -> None:
    assert divided(duration, factor) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    for: 5m\n", "    for: 5s\n"),
        ("    for: 5m   # the runbook's\n", "    for: 5s   # the runbook's\n"),
        ("interval: '15s'", "interval: '250ms'"),
        ("  repeat_interval: 15m\r\n", "  repeat_interval: 15s\r\n"),
        ("{name: a, cooldown: 10m, settle: 5m}", "{name: a, cooldown: 10s, settle: 5s}"),
        ("expr: rate(errors[5m]) > 0.01", "expr: rate(errors[5s]) > 0.01"),
        ("expr: max_over_time(up[5m:1m])", "expr: max_over_time(up[5s:1s])"),
        ("expr: max_over_time(up[5m:])", "expr: max_over_time(up[5s:])"),
        ("expr: up offset 1h", "expr: up offset 60s"),
    ],
)
def test_durations_are_divided_where_they_stand(line: str, expected: str) -> None:
    assert shorten(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "  # for: 5m, as the runbook says: rate(errors[5m])",
        "- record: service:http_requests:rate5m",
        "expr: service:http_requests:rate5m > 1000",
        "description: The limit has been passed for 5 minutes.",
        "description: The limit was passed for: 5m and more",
        "sizes: [s-1vcpu-1gb, s-2vcpu-2gb]",
        "group_by: [alertname, service]",
        "wait_for: 5m",
        "for: 5",
        "",
    ],
)
def test_everything_else_stays_as_it_is(line: str) -> None:
    assert shorten(line) == line


@pytest.mark.parametrize("path", [RULES, PACK, ALERTMANAGER], ids=lambda path: path.name)
def test_of_the_shipped_files_every_duration_is_divided_and_nothing_else_changes(
    path: Path,
) -> None:
    before, after = load(path), yaml.safe_load(shorten(path.read_text(encoding="utf-8")))

    changed = list(differences(before, after))

    assert changed
    assert not [pair for pair in changed if not is_sixtieth(*pair)]
    assert not re.search(r"\b\d+[mhd]\b", " ".join(scalars(after)))


def differences(before: Any, after: Any) -> list[tuple[str, str]]:
    if isinstance(before, dict):
        assert before.keys() == after.keys()
        return [pair for key in before for pair in differences(before[key], after[key])]
    if isinstance(before, list):
        assert len(before) == len(after)
        return [
            pair for one, two in zip(before, after, strict=True) for pair in differences(one, two)
        ]
    return [] if before == after else [(str(before), str(after))]


def scalars(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in scalars(item)]
    if isinstance(value, list):
        return [text for item in value for text in scalars(item)]
    return [str(value)]


def is_sixtieth(before: str, after: str) -> bool:
    """Whether the two differ in durations alone, each a sixtieth of what it was."""
    duration = re.compile(r"(?<!\w)(\d+)(ms|s|m|h)\b")
    in_ms = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
    pairs = zip(duration.findall(before), duration.findall(after), strict=True)
    return duration.sub("", before) == duration.sub("", after) and all(
        abs(int(one) * in_ms[unit] / 60 - int(two) * in_ms[short]) < 1
        for (one, unit), (two, short) in pairs
    )


def test_a_factor_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="the factor must be 1 or more"):
        shorten("for: 5m", 0)


# ---- Programs ----


def program(directory: Path, name: str) -> Path:
    path = directory / name
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("asked", ["alertmanager", "prometheus-alertmanager"])
@pytest.mark.parametrize("installed", ["alertmanager", "prometheus-alertmanager"])
def test_alertmanager_is_found_under_either_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, installed: str
) -> None:
    path = program(tmp_path, installed)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert programs.require(asked, "prometheus-alertmanager") == str(path)


def test_without_the_program_the_test_is_skipped_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception) as skipped:
        programs.require("promtool", "prometheus")

    assert str(skipped.value) == "promtool is not installed: apt-get install prometheus"


def test_without_the_program_ci_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="apt-get install prometheus"):
        programs.require("promtool", "prometheus")
