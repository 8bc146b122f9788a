"""`flapping` in a rule: how often an alert may fire and resolve."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.alerts.flapping import Flapping
from tests.unit.rulebook_files import GOOD, load, told, with_rule


def test_a_rule_says_how_often_an_alert_may_turn_within_which_time(tmp_path: Path) -> None:
    book = load(tmp_path, with_rule(flapping="{transitions: 4, within: 10m}"))
    assert [rule.flapping for rule in book.rules][-1] == Flapping(4, 600.0)
    assert {rule.flapping for rule in load(tmp_path, GOOD).rules} == {None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("4", "flapping must be a mapping, not 4."),
        ("{transitions: 4}", "flapping needs transitions and within, such as {transitions: 4,"),
        ("{within: 10m}", "flapping needs transitions and within, such as {transitions: 4,"),
        ("{transitions: 2, within: 10m}", "transitions must be at least 3, not 2."),
        ("{transitions: 51, within: 10m}", "transitions must be at most 50, not 51."),
        ("{transitions: many, within: 10m}", "transitions must be a whole number, written in"),
        ("{transitions: 4, within: soon}", "within 'soon' is not a duration"),
        ("{transitions: 4, within: '0'}", "within must be longer than 0, such as 10m."),
        ("{transitions: 4, within: 2d}", "within '2d' is longer than 1d, the longest"),
        ("{transitions: 4, within: 600}", "within must be a duration such as 10m, not 600."),
        ("{transitons: 4, within: 10m}", "unknown key transitons; did you mean transitions?"),
    ],
)
def test_what_is_wrong_with_it_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(flapping=given))
    assert said in error
    assert "rule extra: " in error


@pytest.mark.parametrize("action", ["page_oncall", "investigate", "ignore"])
def test_only_a_rule_that_changes_a_target_has_use_for_it(tmp_path: Path, action: str) -> None:
    cooldown = "10m" if action == "investigate" else None
    rule = with_rule(
        action=action, target=None, cooldown=cooldown, flapping="{transitions: 4, within: 10m}"
    )
    (error,) = told(tmp_path, rule)
    assert f"flapping is of no use to {action}, which changes nothing." in error
