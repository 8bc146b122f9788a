"""Rules that start a scenario: what both say of each other, and what is refused, by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.policy import APPROVE
from service.domain.scenarios.scenarios import Early, When, scenario_from_fields
from tests.unit.rulebook_files import GOOD, load, told

OUT = "{id: out, action: set_capacity, target: api, to: {replicas: 8}, undo: restore}"
RULE = (
    "  - {name: spike, match: [alertname=Spike], action: start_scenario, with: {scenario: rush}, "
    "cooldown: 12h}\n"
)


def rules_with(
    rule: str = RULE, start: str = "{rule: spike}", more: str = "spend: {up_to: $60}, "
) -> str:
    """The good file with a rule on line 9, and a scenario on line 11."""
    return f"{GOOD}{rule}scenarios:\n  rush: {{start: {start}, {more}steps: [{OUT}]}}\n"


def test_a_rule_and_the_scenario_that_it_starts_name_each_other(tmp_path: Path) -> None:
    book = load(tmp_path, rules_with())
    rush = book.scenarios["rush"]
    assert rush.rules == ("spike",)
    assert scenario_from_fields(rush.fields()).rules == ("spike",)
    spike = book.rules[-1]
    assert (spike.action, spike.options) == ("start_scenario", {"scenario": "rush"})
    assert spike.target is None


def test_a_mode_and_its_approval_are_about_the_scenario(tmp_path: Path) -> None:
    rule = RULE.replace("cooldown", "mode: approve, approval: {from: [finance]}, cooldown")
    policy = load(tmp_path, rules_with(rule)).rules[-1].policy
    assert (policy.mode, policy.approval.of) == (APPROVE, ("finance",))


def test_the_hash_of_the_rules_covers_which_rules_may_start_a_scenario(tmp_path: Path) -> None:
    two = f"{RULE}{RULE.replace('name: spike', 'name: flood').replace('=Spike', '=Flood')}"
    one, both = rules_with(two, "{rule: [spike, flood]}"), rules_with(two, "{rule: [flood, spike]}")
    assert load(tmp_path, one).hash != load(tmp_path, both).hash


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (
            rules_with(RULE.replace("scenario: rush", "scenario: rash")),
            9,
            "rule spike: with: unknown scenario 'rash'; did you mean rush?",
        ),
        (rules_with(start="{person: true}"), 9, "does not say that this rule may start it"),
        (rules_with(start="{rule: spoke}"), 11, "unknown rule 'spoke'; did you mean spike?"),
        (rules_with(start="{rule: [spike, 3]}"), 11, "the name of a rule, or a list of names"),
        (rules_with(start="{rule: cpu}"), 11, "rule cpu does not start it"),
        (rules_with(more=""), 11, "what it may cost has to be bounded: write spend:"),
        (
            rules_with(more="emergency: true, "),
            11,
            "an emergency lifts what people have paused and locked, so only a person starts it",
        ),
        (rules_with(RULE.replace("with: {scenario: rush}, ", "")), 9, "needs scenario: which one"),
        (rules_with(RULE.replace("with", "target: api, with")), 9, "target is of no use"),
        (rules_with(RULE.replace(", cooldown: 12h", "")), 9, "cooldown is missing"),
        (rules_with(RULE.replace("cooldown", "settle: 5m, cooldown")), 9, "settle is of no use"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_line(
    tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    found = told(tmp_path, text)
    assert any(f"1.yml:{line}:" in each and sentence in each for each in found), found


def with_keys(step: str = OUT, **keys: str) -> str:
    """The good file and a scenario on line 10 with these keys."""
    more = "".join(f"{key}: {value}, " for key, value in keys.items())
    return f"{GOOD}scenarios:\n  rush: {{{more}steps: [{step}]}}\n"


def test_conditions_are_read_as_they_are_written(tmp_path: Path) -> None:
    when = OUT.replace("undo", "when: {reading: cpu > 80, unknown: begin}, undo")
    ends, spend = "{after: 12h, or: 'rps < 300 for 1h'}", "{up_to: $60, for: 6h}"
    rush = load(tmp_path, with_keys(when, ends=ends, spend=spend)).scenarios["rush"]
    assert rush.early == Early("rps < 300", 3_600.0)
    assert rush.covers_s == 21_600.0
    assert rush.steps[0].when == When("cpu > 80", unknown_begins=True)
    short = OUT.replace("undo", "when: cpu > 80, undo")
    rush = load(tmp_path, with_keys(short)).scenarios["rush"]
    assert rush.steps[0].when == When("cpu > 80")


def test_a_scenario_that_a_rule_starts_may_end_once_its_alert_has_resolved(tmp_path: Path) -> None:
    more = "spend: {up_to: $60}, ends: {after: 12h, or: resolved for 15m}, "
    assert load(tmp_path, rules_with(more=more)).scenarios["rush"].early == Early("", 900.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (with_keys(OUT.replace("undo", "when: cpu, undo")), "when must be a reading of the"),
        (with_keys(OUT.replace("undo", "when: [1], undo")), "when must be a reading with its"),
        (with_keys(OUT.replace("undo", "when: {unknown: begin}, undo")), "when needs reading"),
        (with_keys(OUT.replace("undo", "when: cpi > 8, undo")), "unknown reading 'cpi'"),
        (with_keys(OUT.replace("undo", "when: dollars > 8, undo")), "a reading of the application"),
        (
            with_keys(OUT.replace("undo", "when: {reading: cpu > 8, unknown: wait}, undo")),
            "unknown must be",
        ),
        (with_keys(ends="{after: 1h, or: soon}"), "or must be what has to hold and for how long"),
        (with_keys(ends="{after: 1h, or: 'rps for 1h'}"), "with its limit"),
        (with_keys(ends="{after: 1h, or: 'rps < 3 for ever'}"), "'ever' is not a duration"),
        (with_keys(ends="{after: 1h, or: 'rpm < 3 for 1h'}"), "unknown reading 'rpm'"),
        (with_keys(ends="{or: 'rps < 3 for 1h'}"), "ends needs after"),
        (with_keys(ends="{after: 1h, or: 'resolved for 1h'}"), "no rule starts it"),
        (with_keys(spend="{up_to: $60, for: long}"), "for 'long' is not a duration"),
        (with_keys(spend="{for: 1h}"), "spend needs up_to"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_refused_by_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    found = told(tmp_path, text)
    assert any("1.yml:10:" in each and sentence in each for each in found), found
