"""`return` in a rule: when what its alerts added is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.returns import Return
from service.domain.windows import Window
from tests.unit.rulebook_files import GOOD, load, told, with_rule, with_target


def test_a_rule_says_when_what_its_alerts_added_is_taken_back(tmp_path: Path) -> None:
    book = load(tmp_path, with_rule(**{"return": "{after: 30m, step: 2}"}))
    assert book.rules[-1].policy.returns == Return(1_800, 2)
    assert {each.policy.returns for each in load(tmp_path, GOOD).rules} == {None}


def test_a_reading_has_its_limit_and_a_window_its_zone(tmp_path: Path) -> None:
    given = (
        "{after: 1h, when: 'max by () (a < 3) < 72.5', zone: Europe/Berlin, "
        "window: {days: sat-sun, between: ['02:00', '05:00']}}"
    )
    returns = load(tmp_path, with_rule(**{"return": given})).rules[-1].policy.returns
    window = Window(days=(5, 6), start=120, end=300, zone="Europe/Berlin")
    assert returns == Return(3_600, 1, "max by () (a < 3)", 72.5, window)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{step: 1}", "return needs after: how long it has to be calm, such as 30m."),
        ("{after: 0s}", "after must be longer than 0, such as 30m."),
        ("{after: 31d}", "after '31d' is longer than 30d, the longest that is allowed."),
        ("{after: 30m, step: 0}", "step"),
        ("{after: 30m, soon: 1}", "soon"),
        (
            "{after: 30m, when: avg(cpu_usage)}",
            (
                "when must be a reading in PromQL and the limit that it stays below, such as "
                "'avg(cpu_usage) < 70', not 'avg(cpu_usage)'."
            ),
        ),
        ("{after: 30m, when: '< 70'}", "when must be a reading in PromQL"),
        ("{after: 30m, when: 'up < many'}", "when must be a reading in PromQL"),
        ("{after: 30m, zone: Mars}", "Mars"),
        ("{after: 30m, window: {days: someday}}", "someday"),
        ("30m", "return"),
    ],
)
def test_what_is_wrong_with_it_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(**{"return": given}))
    assert "rule extra: " in error
    assert said in error


def test_a_rule_that_changes_nothing_has_nothing_to_take_back(tmp_path: Path) -> None:
    rule = with_rule(action="investigate", target=None, **{"return": "{after: 30m}"})
    (error,) = told(tmp_path, rule)
    assert "return is of no use to investigate, which changes nothing." in error


def test_a_target_says_which_service_alerts_name_it_by(tmp_path: Path) -> None:
    body = "{kind: app_platform, app: a, component: api, replicas: {min: 1, max: 2}, service: quiz}"
    book = load(tmp_path, with_target(body))
    assert {name: each.service for name, each in book.targets.items()}["api"] == "quiz"
    assert {each.service for each in load(tmp_path, GOOD).targets.values()} == {""}
