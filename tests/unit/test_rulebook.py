from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.droplet.target import DropletTarget
from service.catalogue.supabase.target import SupabaseTarget
from service.rulebook import RuleBookInvalid, load_rulebook
from tests.unit.rulebook_files import (
    ENV,
    GOOD,
    PACK,
    RULES,
    TARGETS,
    load,
    told,
    with_rule,
    with_target,
)


def test_a_rule_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    book = load(
        tmp_path,
        TARGETS
        + """\
rules:
  - name: high-cpu
    match: ['alertname="High CPU Usage"', 'severity=~"warning|critical", team!="x"']
    action: horizontal_scale
    target: api
    with: {step: 2}
    cooldown: 1h30m
    settle: 90s
    continue: true
  - name: errors
    match: [alertname=Errors]
    action: page_oncall
    severity: critical
  - {name: memory, match: [alertname=Memory], action: vertical_scale, target: vm, cooldown: 30m}
  - {name: pool, match: [alertname=Pool], action: scale_database, target: db, cooldown: 30m}
""",
    )
    cpu, errors = book.rules[:2]
    assert [str(matcher) for matcher in cpu.matchers] == [
        'alertname="High CPU Usage"',
        'severity=~"warning|critical"',
        'team!="x"',
    ]
    assert (cpu.action, cpu.target, cpu.options) == ("horizontal_scale", "api", {"step": 2})
    assert (cpu.cooldown, cpu.settle) == (timedelta(minutes=90), timedelta(seconds=90))
    assert cpu.continue_
    assert str(cpu.origin) == f"{tmp_path}/1.yml:6"
    assert (errors.action, errors.severity, errors.cooldown) == (
        "page_oncall",
        "critical",
        timedelta(),
    )
    assert book.targets == {
        "api": AppTarget("api", "app-1", "api", 2, 10),
        "vm": DropletTarget("vm", "101", ("s-1vcpu-1gb", "s-1vcpu-2gb")),
        "db": SupabaseTarget("db", "ref", ("ci_micro", "ci_small")),
    }


def test_an_app_may_have_a_ladder_and_a_health_address_too(tmp_path: Path) -> None:
    text = with_target(
        "{kind: app_platform, app: a, component: c, replicas: {min: 1, max: 250}, "
        "sizes: [apps-s-new, professional-xs, apps-d-new, professional-s], "
        "health_url: 'https://api.example/health'}"
    )
    assert load(tmp_path, text).targets["api"] == AppTarget(
        "api",
        "a",
        "c",
        1,
        250,
        ("apps-s-new", "professional-xs", "apps-d-new", "professional-s"),
        "https://api.example/health",
    )


def test_the_shipped_pack_does_what_the_runbook_says() -> None:
    book = load_rulebook([PACK], ENV)
    wanted = {
        "High CPU Usage": ("horizontal_scale", "api"),
        "High Memory Usage": ("vertical_scale", "worker-vm"),
        "High Error Rate": ("page_oncall", None),
        "Slow Response Time": ("investigate", None),
        "Database Connection Pool Exhausted": ("scale_database", "database"),
    }
    mapped = {
        alert: (rule.action, rule.target)
        for alert in wanted
        for rule in book.rules
        if alert in json.dumps([matcher.value for matcher in rule.matchers])
    }
    assert mapped == wanted
    assert [target.resource for target in book.targets.values()] == [
        "do-app:app-quizmentor",
        "do-droplet:101",
        "supabase:quizmentorquizmentor",
    ]


def test_rules_and_targets_may_be_in_different_files(tmp_path: Path) -> None:
    book = load(tmp_path, RULES, TARGETS)
    assert [rule.name for rule in book.rules] == ["cpu", "memory", "pool"]
    assert book.target_of(book.rules[1]) == book.targets["vm"]
    assert str(book.rules[0].origin) == f"{tmp_path}/1.yml:2"


def test_a_name_used_in_two_files_is_refused(tmp_path: Path) -> None:
    more = (
        "targets:\n"
        "  vm: {kind: droplet, droplet: 7, sizes: [c-2, c-4]}\n"
        "rules:\n"
        "  - {name: cpu, match: [a=b], action: page_oncall}\n"
    )
    assert told(tmp_path, GOOD, more) == [
        "2.yml:2: target vm: another target has the same name at 1.yml:3.",
        "2.yml:4: rule cpu: another rule has the same name at 1.yml:6.",
    ]


def test_one_file_that_cannot_be_read_hides_no_error_of_another_and_invents_none(
    tmp_path: Path,
) -> None:
    assert told(tmp_path, RULES.replace("10m", "soon"), "targets: {\n") == [
        "1.yml:2: rule cpu: cooldown 'soon' is not a duration; write it as 90s, 10m or 1h30m.",
        (
            "2.yml:1: this is not valid YAML: the { of this line is not closed. "
            "The line is: targets: {"
        ),
    ]


def test_a_file_that_is_missing_or_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"rules: []\n# \xff\n")
    with pytest.raises(RuleBookInvalid) as raised:
        load_rulebook([tmp_path / "none.yml", tmp_path / "binary.yml"], ENV)
    assert str(raised.value).replace(f"{tmp_path}/", "") == (
        "none.yml:1: the file cannot be read: No such file or directory.\n"
        "binary.yml:2: the file is not UTF-8 text."
    )


def test_no_rule_file_at_all_is_an_error() -> None:
    with pytest.raises(RuleBookInvalid, match="no rule file is given"):
        load_rulebook([], ENV)


def test_the_largest_numbers_that_are_allowed_are_taken(tmp_path: Path) -> None:
    text = with_target(
        "{kind: app_platform, app: a, component: c, replicas: {min: 250, max: 250},"
        f" sizes: [{', '.join(f'new-{at}' for at in range(50))}]}}"
    )
    text = text.replace("droplet: 101", f"droplet: {10**19 - 1}")
    text += (
        "  - {name: extra, match: [alertname=Extra], action: horizontal_scale, target: api,"
        " cooldown: 30d, settle: 30d, with: {step: 250}}\n"
    )
    last = load(tmp_path, text).rules[-1]
    assert (last.cooldown, last.settle) == (timedelta(30), timedelta(30))
    assert last.options == {"step": 250}


def test_anchors_and_merges_save_repetition(tmp_path: Path) -> None:
    text = GOOD + (
        "  - &page {name: a, match: [alertname=A], action: page_oncall, severity: error}\n"
        "  - {<<: *page, name: b, match: [alertname=B]}\n"
    )
    last = load(tmp_path, text).rules[-1]
    assert (last.name, last.action, last.severity) == ("b", "page_oncall", "error")


def test_words_that_yaml_takes_for_something_else_stay_words(tmp_path: Path) -> None:
    text = with_target("{kind: app_platform, app: no, component: on, replicas: {min: 1, max: 2}}")
    target = load(tmp_path, text).targets["api"]
    assert target == AppTarget("api", "no", "on", 1, 2)


def test_the_environment_is_put_into_values_and_never_becomes_syntax(tmp_path: Path) -> None:
    text = TARGETS.replace("app-1", '"${APP}"') + RULES.replace(
        "alertname=CPU", '"alertname=\\"${ALERT}\\""'
    )
    book = load(tmp_path, text, env={"APP": " x: {y}\n", "ALERT": 'a", b="${APP}'})
    target, matcher = book.targets["api"], book.rules[0].matchers[0]
    assert isinstance(target, AppTarget)
    assert target.app == "x: {y}"
    assert matcher.value == 'a", b="${APP}'


def test_an_empty_or_unreadable_reference_to_the_environment_is_refused(tmp_path: Path) -> None:
    text = TARGETS.replace("app-1", '"${APP}"').replace("101", '"${DROPLET-5}"')
    assert told(tmp_path, text + RULES, env={"APP": " "}) == [
        "1.yml:2: target api: ${APP} is not set or is empty; set APP in the environment.",
        "1.yml:3: target vm: ${DROPLET-5} cannot be read; write ${NAME}.",
    ]


def test_a_pattern_from_the_environment_must_be_sound_too(tmp_path: Path) -> None:
    text = with_rule(match="['alertname=~\"${ALERTS}\"']")
    (error,) = told(tmp_path, text, env={"ALERTS": "a("})
    assert error.startswith('1.yml:10: rule extra: a matcher cannot be read: alertname=~"a(" has a')


def test_the_hash_is_of_what_the_rules_say_not_of_how_they_are_written(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    plain = load(one, GOOD)
    commented = load(other, "# the same\n" + RULES, TARGETS + "# the end\n")
    assert plain.hash == commented.hash
    assert len(plain.hash) == 12
    assert set(plain.hash) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("10m", "11m"),
        ("max: 10", "max: 9"),
        ("alertname=CPU", "alertname!=CPU,a=b"),
        ("component: api", "component: web"),
        ("ref", "fer"),
        ("s-1vcpu-2gb", "s-2vcpu-2gb"),
    ],
)
def test_the_hash_changes_with_anything_that_changes_a_decision(
    tmp_path: Path, was: str, becomes: str
) -> None:
    assert load(tmp_path, GOOD).hash != load(tmp_path, GOOD.replace(was, becomes)).hash


def test_the_hash_does_not_depend_on_the_process(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(GOOD)
    program = (
        "import pathlib, service.rulebook as r; "
        "print(r.load_rulebook([pathlib.Path('rules.yml')], {}).hash)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(PACK.parents[1])},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert hashes == {load(tmp_path, GOOD).hash}
