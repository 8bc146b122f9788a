from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rulebook_files import (
    GOOD,
    RULES,
    TARGETS,
    errors_of,
    load,
    told,
    with_rule,
    with_target,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"action": "horizontal_scal"},
            "11: rule extra: unknown action 'horizontal_scal'; did you mean horizontal_scale?",
        ),
        (
            {"action": "launch_rocket"},
            (
                "11: rule extra: unknown action 'launch_rocket'; known: apply_balancer, "
                "horizontal_scale, ignore, investigate, page_oncall, purge, scale_cache, "
                "scale_database, set_autoscaling, set_cache_rules, set_capacity, vertical_scale."
            ),
        ),
        ({"action": None}, "9: rule extra: action is missing: one of horizontal_scale, "),
        ({"target": "apj"}, "12: rule extra: unknown target 'apj'; did you mean api?"),
        ({"target": None}, "9: rule extra: target is missing: horizontal_scale must know what"),
        (
            {"target": "vm"},
            (
                "12: rule extra: horizontal_scale cannot change target vm of kind droplet; "
                "it needs one of kind app_platform."
            ),
        ),
        (
            {"action": "vertical_scale", "target": "db"},
            (
                "12: rule extra: vertical_scale cannot change target db of kind supabase; "
                "it needs one of kind app_platform or droplet."
            ),
        ),
        (
            {"action": "scale_database", "target": "api"},
            (
                "12: rule extra: scale_database cannot change target api of kind app_platform; "
                "it needs one of kind supabase."
            ),
        ),
        (
            {"action": "vertical_scale"},
            (
                "12: rule extra: vertical_scale needs a ladder, and target api has none; give it "
                "sizes, smallest first."
            ),
        ),
        ({"match": "[]"}, "10: rule extra: match is empty: such a rule would match every alert."),
        ({"match": None}, "9: rule extra: match is missing: such a rule would match every alert."),
        ({"match": "['']"}, "10: rule extra: match[1] is empty."),
        (
            {"match": "['{}']"},
            "10: rule extra: a matcher cannot be read: '{}' is empty; write a matcher such as",
        ),
        (
            {"match": "alertname=CPU"},
            "10: rule extra: match must be a list, not 'alertname=CPU'.",
        ),
        (
            {"match": "['alertname=~\".*\"']"},
            "10: rule extra: match takes nearly every alert: no matcher says what the alert is.",
        ),
        ({"match": "['foo=\"\"']"}, "10: rule extra: match takes nearly every alert"),
        ({"match": "['a!=b', 'alertname=~\".+\"']"}, "10: rule extra: match takes nearly every"),
        (
            {"match": "\n    - alertname=CPU\n    - 'foo=~\"(\"'"},
            '12: rule extra: a matcher cannot be read: foo=~"(" has a bad regular expression: ',
        ),
        (
            {"cooldown": None},
            "9: rule extra: cooldown is missing: horizontal_scale needs one, such as 10m.",
        ),
        (
            {"cooldown": None, "action": "investigate", "target": None},
            "9: rule extra: cooldown is missing: investigate needs one, such as 10m.",
        ),
        ({"cooldown": "0s"}, "13: rule extra: cooldown must be longer than 0, such as 10m."),
        ({"cooldown": "600"}, "13: rule extra: cooldown must be a duration such as 10m, not 600."),
        (
            {"cooldown": "10 minutes"},
            "13: rule extra: cooldown '10 minutes' is not a duration; write it as 90s, 10m or",
        ),
        (
            {"action": "page_oncall", "target": None},
            "12: rule extra: page_oncall takes no cooldown: repeats of one group are one incident",
        ),
        (
            {"cooldown": "900000w"},
            "13: rule extra: cooldown '900000w' is longer than 30d, the longest that is allowed.",
        ),
        (
            {"cooldown": "30d1ms"},
            "13: rule extra: cooldown '30d1ms' is longer than 30d, the longest that is allowed.",
        ),
        (
            {"settle": "5w"},
            "14: rule extra: settle '5w' is longer than 30d, the longest that is allowed.",
        ),
        (
            {"with": "{step: 251}"},
            "14: rule extra: with: step must be at most 250, not 251.",
        ),
        ({"settle": "soon"}, "14: rule extra: settle 'soon' is not a duration"),
        (
            {"action": "investigate", "target": None, "settle": "2m"},
            "13: rule extra: settle is of no use to investigate, which changes no target.",
        ),
        (
            {"severity": "critical"},
            "14: rule extra: severity is of no use to horizontal_scale, only to page_oncall.",
        ),
        (
            {"action": "page_oncall", "target": None, "cooldown": None, "severity": "bad"},
            "12: rule extra: severity must be 'critical', 'error', 'warning' or 'info', not 'bad'.",
        ),
        ({"with": "{stepp: 1}"}, "14: rule extra: with: unknown key stepp; did you mean step?"),
        ({"with": "{step: 0}"}, "14: rule extra: with: step must be at least 1, not 0."),
        (
            {"with": "{step: '2'}"},
            "14: rule extra: with: step must be a whole number, written in plain digits, not '2'.",
        ),
        ({"with": "2"}, "14: rule extra: with must be a mapping, not 2."),
        (
            {"action": "investigate", "target": None, "with": "\n      step: 1"},
            "14: rule extra: with: unknown key step; investigate takes no options.",
        ),
        ({"cooldwn": "5m"}, "14: rule extra: unknown key cooldwn; did you mean cooldown?"),
        ({"continue": "yes"}, "14: rule extra: continue must be true or false, not 'yes'."),
        (
            {"match": "['alertname=\"${CLUSTER}\"']"},
            (
                "10: rule extra: ${CLUSTER} is not among the variables that rule files may use. "
                "If CLUSTER holds no secret, add it to the setting RULES_ENV, as in RULES_ENV=CLU"
            ),
        ),
        (
            {"target": '"${WHICH}"'},
            "12: rule extra: ${WHICH} is not among the variables that rule files may use.",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_file_and_line(
    tmp_path: Path, changes: dict[str, str | None], expected: str
) -> None:
    errors = told(tmp_path, with_rule(**changes))
    assert errors[0].startswith(f"1.yml:{expected}")


@pytest.mark.parametrize("name", ["High", "-a", "a" * 64, "a b", "''", "a/b"])
def test_a_rules_name_must_fit_into_a_run_id(tmp_path: Path, name: str) -> None:
    text = GOOD + (f"  - {{name: {name}, match: [a=b], action: investigate, cooldown: 1h}}\n")
    (error,) = told(tmp_path, text)
    assert error.startswith("1.yml:9: rule ")
    assert "name must be 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit" in error


@pytest.mark.parametrize("name", ["unmatched", "no-data", "test"])
def test_the_names_of_runbookds_own_rules_are_taken(tmp_path: Path, name: str) -> None:
    text = GOOD + f"  - {{name: {name}, match: [a=b], action: investigate, cooldown: 1h}}\n"
    assert told(tmp_path, text) == [
        f"1.yml:9: rule {name}: the name {name} is taken by a rule of runbookd's own."
    ]


def test_a_rule_that_only_tells_has_no_target(tmp_path: Path) -> None:
    text = GOOD + "  - {name: p, match: [a=b], action: page_oncall, target: api}\n"
    assert told(tmp_path, text) == [
        "1.yml:9: rule p: target is of no use to page_oncall, which changes none. Remove it."
    ]


def test_a_rule_needs_a_name_of_its_own(tmp_path: Path) -> None:
    body = "match: [a=b], action: investigate, cooldown: 1h"
    text = f"{GOOD}  - {{{body}}}\n  - {{name: unmatched, {body.replace('a=b', 'c=d')}}}\n"
    assert told(tmp_path, text) == [
        "1.yml:9: rule number 4: name is missing: decisions and messages call the rule by it.",
        "1.yml:10: rule unmatched: the name unmatched is taken by a rule of runbookd's own.",
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("{kind: app_platfrm}", "unknown kind 'app_platfrm'; did you mean app_platform?"),
        (
            "{app: a}",
            (
                "kind is missing: one of app_platform, droplet, nginx, supabase, cloudflare_zone, "
                "valkey."
            ),
        ),
        ("[a]", "a target is a mapping with a kind, an id and bounds."),
        (
            "{kind: app_platform, app: a, component: c}",
            "replicas is missing: a target needs bounds, such as {min: 2, max: 10}.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {max: 10}}",
            "replicas.min is missing: a target needs both bounds.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 2}}",
            "replicas.max is missing: a target needs both bounds.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 0, max: 3}}",
            "replicas.min must be at least 1, not 0.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 5, max: 3}}",
            "replicas.min 5 is above its max 3.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 2, max: 10, limit: 8}}",
            "replicas.max 10 is above its limit 8, which holds for everybody.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 1, max: 251}}",
            "replicas.max must be at most 250, not 251.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 251, max: 250}}",
            "replicas.min must be at most 250, not 251.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 1, max: 1_000}}",
            "replicas.max must be a whole number, written in plain digits, not '1_000'.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 010, max: 20}}",
            "replicas.min must be a whole number, written in plain digits, not '010'.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: true, max: 20}}",
            "replicas.min must be a whole number, written in plain digits, not true.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 1, max: 2, maxx: 3}}",
            "unknown key replicas.maxx; did you mean max?",
        ),
        (
            "{kind: app_platform, component: c, replicas: {min: 1, max: 2}}",
            "app is missing: the App Platform app's id.",
        ),
        (
            "{kind: app_platform, app: a, replicas: {min: 1, max: 2}}",
            "component is missing: which component of the app.",
        ),
        (
            "{kind: app_platform, app: 12, component: c, replicas: {min: 1, max: 2}}",
            "app must be text (a number needs quotes to be text), not 12.",
        ),
        (
            "{kind: app_platform, app: '', component: c, replicas: {min: 1, max: 2}}",
            "app is empty.",
        ),
        (
            "{kind: app_platform, app: a, component: c, replicas: {min: 1, max: 2}, size: [a]}",
            "unknown key size; did you mean sizes?",
        ),
        ("{kind: droplet, sizes: [a, b]}", "droplet is missing: the droplet's id."),
        ("{kind: supabase, sizes: [a, b]}", "project is missing: the Supabase project's ref."),
        (
            "{kind: droplet, droplet: 1}",
            "sizes is missing: a target needs a ladder, at least two sizes, smallest first.",
        ),
        (
            "{kind: droplet, droplet: -1, sizes: [c-2, c-4]}",
            "droplet must be the droplet's id, a number of at most 19 digits, not '-1'.",
        ),
        (
            f"{{kind: droplet, droplet: {10**19}, sizes: [c-2, c-4]}}",
            (
                "droplet must be the droplet's id, a number of at most 19 digits, not "
                "'10000000000000000000'."
            ),
        ),
        (
            "{kind: droplet, droplet: worker-vm, sizes: [c-2, c-4]}",
            "droplet must be the droplet's id, a number of at most 19 digits, not 'worker-vm'.",
        ),
        (
            f"{{kind: droplet, droplet: 1, sizes: [{', '.join(f'new-{at}' for at in range(51))}]}}",
            "sizes has 51 sizes; a ladder has at most 50.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [c-2]}",
            "sizes has 1 size; a ladder needs at least two.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: []}",
            "sizes has no size; a ladder needs at least two.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [new-1, new-2, new-1]}",
            "sizes names new-1 more than once.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [s-4vcpu-8gb, new-1, c-2]}",
            "sizes must rise in price: c-2 ($42 a month) comes after s-4vcpu-8gb ($48).",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [c-4, m-2vcpu-16gb]}",
            "sizes must rise in price: m-2vcpu-16gb ($84 a month) comes after c-4 ($84).",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [c-2, ci_large]}",
            "ci_large is a size of supabase, and this target is a droplet.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [c-2, 4]}",
            "sizes[2] must be text (a number needs quotes to be text), not 4.",
        ),
        (
            "{kind: droplet, droplet: 1, sizes: [c-2, c-4], health_url: 'ftp://x'}",
            "health_url must be an address that begins with http:// or https://, not 'ftp://x'.",
        ),
        (
            '{kind: droplet, droplet: "${DROPLET}", sizes: [c-2, c-4]}',
            (
                "${DROPLET} is not among the variables that rule files may use. If DROPLET holds "
                "no secret, add it to the setting RULES_ENV, as in RULES_ENV=DROPLET; separate "
                "several by commas."
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_target_is_told_with_file_and_line(
    tmp_path: Path, target: str, expected: str
) -> None:
    assert told(tmp_path, with_target(target))[0] == f"1.yml:2: target api: {expected}"


def test_a_target_that_no_rule_uses_is_refused(tmp_path: Path) -> None:
    rules = "".join(RULES.splitlines(keepends=True)[:2])
    assert told(tmp_path, TARGETS + rules) == [
        "1.yml:3: target vm: no rule uses it. Remove it, or give it a rule.",
        "1.yml:4: target db: no rule uses it. Remove it, or give it a rule.",
    ]


@pytest.mark.parametrize(
    "match",
    ["[alertname=CPU]", "[alertname=CPU, severity=critical]", "['alertname=~\"CPU\"']"],
)
def test_a_rule_that_is_never_reached_is_refused(tmp_path: Path, match: str) -> None:
    (error,) = errors_of(tmp_path, with_rule(match=match))
    assert (error.file, error.line, error.rule) == (f"{tmp_path}/1.yml", 9, "extra")
    assert error.sentence.startswith(
        f"rule extra: this rule is never reached: rule cpu ({tmp_path}/1.yml:6) before it takes"
    )


def test_a_rule_behind_an_alternation_that_names_its_alert_is_never_reached(tmp_path: Path) -> None:
    text = with_rule(match="['alertname=~\"Extra|More\"']") + (
        "  - {name: more, match: [alertname=More], action: page_oncall}\n"
    )
    (error,) = told(tmp_path, text)
    assert error.startswith("1.yml:14: rule more: this rule is never reached: rule extra (")


def test_a_rule_behind_one_that_continues_is_reached(tmp_path: Path) -> None:
    text = with_rule(**{"continue": "true"}) + (
        "  - {name: more, match: [alertname=Extra], action: page_oncall}\n"
    )
    assert [rule.name for rule in load(tmp_path, text).rules][-2:] == ["extra", "more"]


def test_every_error_of_every_file_is_told_at_once_in_their_order(tmp_path: Path) -> None:
    first = TARGETS + "rules:\n  - {name: cpu, match: [], action: launch_rocket, target: vm}\n"
    second = "rules:\n  - name: pool\n    match: [a=b]\n    action: scale_database\n    target: x\n"
    assert [error.split(": ", 2)[:2] for error in told(tmp_path, first, second)] == [
        ["1.yml:6", "rule cpu"],
        ["1.yml:6", "rule cpu"],
        ["2.yml:2", "rule pool"],
        ["2.yml:5", "rule pool"],
    ]


def test_a_rule_with_a_slip_in_one_key_is_still_checked_in_the_others(tmp_path: Path) -> None:
    text = with_rule(colour="red", action="launch_rocket", match="[]", cooldown="soon", target="x")
    assert len(told(tmp_path, text)) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file is empty; it needs targets, rules or both."),
        ("- a\n", "1: a rule file is a mapping with targets and rules."),
        ("targets: [a]\n", "1: targets must be a mapping of names to targets."),
        ("rules: {a: b}\n", "1: rules must be a list; begin each with `- name:`."),
        ("rules:\n  - cpu\n", "2: rule number 1: a rule is a mapping with a name, match and"),
        ("targets: {}\nrule: []\n", "2: unknown key 'rule'; did you mean rules?"),
        ("targets: {}\n", "1: there is no rule; every alert would only be told in Slack."),
        ("rules:\n\t- a\n", "2: this is not valid YAML: it has a tab in column 1."),
        ("rules: []\n---\nrules: []\n", "2: this is not valid YAML: --- begins a second document."),
        ("rules: []\n\nbell: '\a'\n", "3: this is not valid YAML: it holds the character U+0007"),
        ("rules: &a [*a]\n", "1: an alias makes this value contain itself."),
        ("rules: *a\n", "1: this is not valid YAML: * begins an alias, and there is no anchor"),
        ("rules: &a {<<: *a}\n", "1: << can only merge another mapping."),
        ("rules: !!python/name:os.system x\n", "1: the YAML tag tag:yaml.org,2002:python/name:os"),
        ("rules: []\n? [a]\n: b\n", "2: a key must be a plain word."),
        ("rules: " + "[" * 100 + "]" * 100, "1: this is nested too deeply to be a rule file."),
        ("[" * 100_000, "1: the file is nested too deeply to be a rule file."),
        ("rules: " + "9" * 5000, "1: '9999999999999999999999999999999999999999' is not a whole"),
    ],
)
def test_a_file_that_is_no_rule_file_is_refused_at_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert told(tmp_path, text)[0].startswith(f"1.yml:{expected}")


def test_a_file_that_grows_without_end_through_aliases_is_refused_quickly(tmp_path: Path) -> None:
    rows = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    rows += [f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * 10)}]" for at in range(1, 10)]
    assert any("aliases make the file larger" in error for error in told(tmp_path, "\n".join(rows)))


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path, with_rule() + "    cooldown: 20m\n") == [
        "1.yml:14: 'cooldown' is already set on line 13."
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cooldown": "10m", "target": None}, "ignore takes no cooldown: no run follows."),
        ({"cooldown": None}, "target is of no use to ignore, which changes none."),
        (
            {"cooldown": None, "target": None, "severity": "critical"},
            "severity is of no use to ignore, only to page_oncall.",
        ),
        (
            {"cooldown": None, "target": None, "with": "{step: 1}"},
            "with: unknown key step; ignore takes no options.",
        ),
    ],
)
def test_a_rule_that_ignores_says_nothing_but_what_it_ignores(
    tmp_path: Path, changes: dict[str, str | None], sentence: str
) -> None:
    (error,) = told(tmp_path, with_rule(action="ignore", **changes))
    assert sentence in error
