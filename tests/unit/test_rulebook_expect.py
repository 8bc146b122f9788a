"""`expect` in a rule: within which time its alerts should clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.expected import Expected, Slo
from service.domain.decisions.policy import policy_from_json
from tests.unit.rulebook_files import GOOD, load, told, with_rule


def test_a_rule_says_within_which_time_its_alerts_should_clear(tmp_path: Path) -> None:
    rules = load(tmp_path, with_rule(expect="10m", mode="approve")).rules
    assert rules[-1].policy.expected == Expected(600.0)
    assert rules[-1].policy.mode == "approve"
    assert {rule.policy.expected for rule in load(tmp_path, GOOD).rules} == {None}


def test_it_is_pinned_with_a_request_and_one_of_before_expects_nothing(tmp_path: Path) -> None:
    policy = load(tmp_path, with_rule(expect="10m")).rules[-1].policy
    assert policy_from_json(policy.to_json()) == policy
    former = {name: value for name, value in policy.to_json().items() if name != "expected"}
    assert policy_from_json(former).expected is None


def test_a_rule_says_after_how_many_changes_in_vain_it_gives_up(tmp_path: Path) -> None:
    policy = load(tmp_path, with_rule(expect="10m", give_up="3")).rules[-1].policy
    assert policy.expected == Expected(600.0, 3)
    assert policy_from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0", "give_up must be at least 1, not 0."),
        ("21", "give_up must be at most 20, not 21."),
        ("never", "give_up must be a whole number, written in plain digits, not 'never'."),
    ],
)
def test_a_wrong_number_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(expect="10m", give_up=given))
    assert f"rule extra: {said}" in error


def test_a_rule_says_which_share_of_its_changes_has_to_help(tmp_path: Path) -> None:
    policy = load(tmp_path, with_rule(expect="10m", slo="{cleared: 0.8, of: 10}")).rules[-1].policy
    assert policy.expected == Expected(600.0, slo=Slo(0.8, 10))
    assert policy_from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0.8", "slo must be a mapping, not 0.8."),
        ("{cleared: 0.8}", "slo needs cleared and of, such as {cleared: 0.8, of: 10}."),
        ("{of: 10}", "slo needs cleared and of, such as {cleared: 0.8, of: 10}."),
        ("{cleared: 80, of: 10}", "cleared must be a share above 0 and at most 1, such as 0.8"),
        ("{cleared: 0, of: 10}", "cleared must be a share above 0 and at most 1, such as 0.8"),
        ("{cleared: .nan, of: 10}", "cleared must be a share above 0 and at most 1, such as"),
        ("{cleared: most, of: 10}", "cleared must be a share above 0 and at most 1, such as"),
        ("{cleared: 0.8, of: 0}", "of must be at least 1, not 0."),
        ("{cleared: 0.8, of: 101}", "of must be at most 100, not 101."),
        ("{cleard: 0.8, of: 10}", "unknown key cleard; did you mean cleared?"),
    ],
)
def test_a_wrong_slo_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(expect="10m", slo=given))
    assert f"rule extra: {said}" in error


@pytest.mark.parametrize("key", ["give_up", "slo"])
def test_each_of_them_needs_expect(tmp_path: Path, key: str) -> None:
    given = "3" if key == "give_up" else "{cleared: 0.8, of: 10}"
    (error,) = told(tmp_path, with_rule(**{key: given}))
    assert f"rule extra: {key} needs expect: within which time the alerts should clear" in error


def test_what_needs_expect_says_so_once_and_not_where_expect_is_wrong(tmp_path: Path) -> None:
    (error,) = told(tmp_path, with_rule(give_up="3"))
    assert "rule extra: give_up needs expect: within which time the alerts should clear" in error
    (error,) = told(tmp_path, with_rule(give_up="3", expect="600"))
    assert "expect must be a duration such as 10m, not 600." in error


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("soon", "expect 'soon' is not a duration; write it as 90s, 10m or 1h30m."),
        ("'0'", "expect must be longer than 0, such as 10m."),
        ("2d", "expect '2d' is longer than 1d, the longest that is allowed."),
        ("600", "expect must be a duration such as 10m, not 600."),
    ],
)
def test_what_is_wrong_with_it_is_one_clear_sentence(tmp_path: Path, given: str, said: str) -> None:
    (error,) = told(tmp_path, with_rule(expect=given))
    assert f"rule extra: {said}" in error


@pytest.mark.parametrize("action", ["page_oncall", "investigate", "ignore"])
def test_only_a_rule_that_changes_a_target_has_use_for_it(tmp_path: Path, action: str) -> None:
    cooldown = "10m" if action == "investigate" else None
    rule = with_rule(action=action, target=None, cooldown=cooldown, expect="10m")
    (error,) = told(tmp_path, rule)
    assert f"expect is of no use to {action}, which changes nothing." in error
