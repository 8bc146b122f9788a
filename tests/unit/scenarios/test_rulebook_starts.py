"""Rules that start a scenario: what both say of each other, and what is refused, by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.policy import APPROVE
from service.domain.scenarios.scenarios import scenario_from_fields
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
