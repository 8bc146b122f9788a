"""What `runbookd check` says of the options of decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.rulebook import load_rulebook
from tests.unit.rulebook_files import ENV, PACK, errors_of, load, with_rule


def rule(options: str, **changes: str | None) -> str:
    return with_rule(action="decide", target=None, **{"with": options}, **changes)


def test_a_rule_that_decides_is_read_with_the_defaults_of_each_branch(tmp_path: Path) -> None:
    text = rule(
        "{cpu: {action: horizontal_scale, target: api}, memory: {action: vertical_scale, "
        "target: vm}}",
        settle="2m",
        mode="approve",
    )
    (found,) = [each for each in load(tmp_path, text).rules if each.name == "extra"]
    assert found.options["cpu"] == {
        "action": "horizontal_scale",
        "target": "api",
        "with": {"step": 1},
    }
    assert found.options["database"] is None
    assert found.policy.mode == "approve"


def test_what_holds_for_all_changes_holds_for_what_a_rule_decides(tmp_path: Path) -> None:
    text = rule("{cpu: {action: horizontal_scale, target: api}}") + "mode: shadow\n"
    (found,) = [each for each in load(tmp_path, text).rules if each.name == "extra"]
    assert found.policy.mode == "shadow"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{}", "decide names no branch"),
        ("{cpus: {action: horizontal_scale, target: api}}", "unknown key cpus"),
        ("{cpu: {action: horizontal_scal, target: api}}", "unknown action 'horizontal_scal'"),
        ("{cpu: {action: decide, target: api}}", "decide cannot be a branch of itself"),
        ("{cpu: {action: page_oncall, target: api}}", "page_oncall changes nothing"),
        ("{cpu: {action: horizontal_scale, target: apo}}", "unknown target 'apo'"),
        ("{cpu: {action: horizontal_scale, target: db}}", "cannot change target db"),
        ("{cpu: {action: horizontal_scale, target: api, with: {step: 0}}}", "step must be"),
        ("{cpu: {action: horizontal_scale, target: api, with: {steps: 1}}}", "unknown key steps"),
        ("{cpu: {action: set_capacity, target: api}}", "set_capacity needs replicas"),
        ("{cpu: {action: vertical_scale, target: api}}", "needs a ladder"),
        ("{cpu: {target: api}}", "action"),
    ],
)
def test_what_cannot_be_decided_is_refused_at_its_line(
    tmp_path: Path, options: str, sentence: str
) -> None:
    errors = errors_of(tmp_path, rule(options))
    assert sentence in str(errors[0])
    assert "1.yml:13" in str(errors[0])


def test_a_target_of_its_own_is_of_no_use(tmp_path: Path) -> None:
    text = with_rule(action="decide", **{"with": "{cpu: {action: horizontal_scale, target: api}}"})
    (error,) = errors_of(tmp_path, text)
    assert "target is of no use to decide" in str(error)


def test_the_rule_of_the_pack_comes_before_the_one_that_only_investigates() -> None:
    book = load_rulebook([PACK.parent / "decide.yml", PACK], ENV)
    assert book.rules[0].action == "decide"
    assert book.rules[0].policy.mode == "approve"
    assert book.rules[0].policy.budget is not None
