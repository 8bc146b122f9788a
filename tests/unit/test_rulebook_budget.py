"""The budget of a rule file."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.decisions.budget import ASK, HOLD, Budget
from tests.unit.rulebook_files import GOOD, load, told


def test_the_budget_counts_every_target_and_is_pinned_with_each_rule(tmp_path: Path) -> None:
    book = load(tmp_path, GOOD + "budget: {monthly: 200, per_target: {vm: 48.5}}\n")
    budget = Budget(200.0, (("vm", 48.5),), ASK, ("api", "db", "vm"))
    assert book.policy.budget == budget
    assert {rule.policy.budget for rule in book.rules} == {budget}


def test_of_two_files_the_smaller_amounts_and_the_more_careful_answer_count(
    tmp_path: Path,
) -> None:
    book = load(
        tmp_path,
        GOOD + "budget: {monthly: 200, per_target: {vm: 40, db: 60}}\n",
        "budget: {monthly: 150, per_target: {vm: 48}, over: hold}\n",
    )
    assert book.policy.budget == Budget(
        150.0, (("vm", 40.0), ("db", 60.0)), HOLD, ("api", "db", "vm")
    )


def test_rules_without_a_budget_have_none(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).policy.budget is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("budget: 200", "budget must be a mapping, such as {monthly: 200, over: approve}."),
        ("budget: {over: hold}", "a budget needs monthly or per_target: dollars a month"),
        ("budget: {monthly: 0}", "monthly must be dollars a month above 0, such as 200, not 0."),
        ("budget: {monthly: .inf}", "monthly must be dollars a month above 0"),
        (
            "budget: {monthly: true}",
            "monthly must be dollars a month above 0",
        ),
        ("budget: {monthly: 200, over: beg}", "unknown over 'beg'"),
        ("budget: {per_target: {vn: 40}}", "unknown target 'vn'; known: api, db, vm."),
        ("budget: {per_target: {vm: lots}}", "vm must be dollars a month above 0"),
        ("budget: {monthly: 200, mnthly: 1}", "mnthly"),
    ],
)
def test_what_is_wrong_with_a_budget_is_one_clear_sentence(
    tmp_path: Path, wrong: str, said: str
) -> None:
    (error,) = told(tmp_path, f"{GOOD}{wrong}\n")
    assert said in error
