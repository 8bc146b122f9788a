"""`for` in a rule: how long an alert has to fire before the rule does anything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.rulebook_files import GOOD, load, told, with_rule


def test_a_rule_says_how_long_an_alert_has_to_fire(tmp_path: Path) -> None:
    book = load(tmp_path, with_rule(**{"for": "2m"}))
    assert [rule.after for rule in book.rules][-1] == timedelta(minutes=2)
    assert {rule.after for rule in load(tmp_path, GOOD).rules} == {timedelta()}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("-1m", "rule extra: for '-1m' is"),
        ("soon", "rule extra: for 'soon' is"),
        ("2d", "for '2d' is longer than 1d, the longest that is allowed."),
    ],
)
def test_a_wrong_time_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(**{"for": f"'{given}'"}))
    assert said in error


def test_a_page_waits_for_nothing(tmp_path: Path) -> None:
    rule = with_rule(action="page_oncall", target=None, cooldown=None, **{"for": "2m"})
    (error,) = told(tmp_path, rule)
    assert "for is of no use to page_oncall, which waits for nothing." in error
