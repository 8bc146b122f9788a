"""What is wrong with mode, freeze, limits and approval in a rule file: one clear sentence each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from service.domain.decisions.approval import Approval
from service.domain.decisions.budget import Budget
from service.domain.decisions.expected import Expected
from service.domain.decisions.policy import (
    APPROVE,
    EACH_ACTION,
    EACH_TARGET,
    OFF,
    SHADOW,
    Freeze,
    Limit,
    Policy,
    policy_from_json,
)
from service.domain.decisions.returns import Return
from service.domain.rules.rules import Rule
from service.domain.windows import Window
from service.rulebook.policy import OF_A_RULE, policy_of
from tests.unit.rulebook_files import GOOD, load, told, with_rule


def test_the_policy_of_a_file_is_pinned_with_each_rule_that_changes_a_target(
    tmp_path: Path,
) -> None:
    book = load(
        tmp_path,
        GOOD
        + "mode: shadow\n"
        + "zone: Europe/Berlin\n"
        + 'freeze: [{when: {days: fri, between: ["16:00", "24:00"]}, targets: [api], why: late}]\n'
        + "limits: {changes: [{max: 6, per: 1h}, {max: 2, per: 10m, target: each, pause: 5m},"
        + " {max: 3, per: 1d, action: each}]}\n",
    )
    policy = book.policy
    assert policy.mode == SHADOW
    (freeze,) = policy.freezes
    assert (freeze.targets, freeze.why) == (("api",), "late")
    assert freeze.window == Window((4,), 16 * 60, 24 * 60, zone="Europe/Berlin")
    assert policy.limits == (
        Limit(6, 3_600.0),
        Limit(2, 600.0, EACH_TARGET, 300.0),
        Limit(3, 86_400.0, EACH_ACTION),
    )
    assert {(rule.policy.mode, rule.policy.limits) for rule in book.rules} == {
        (SHADOW, policy.limits)
    }


def test_a_rule_is_as_careful_as_it_says_and_never_less_than_all(tmp_path: Path) -> None:
    book = load(tmp_path, with_rule(mode="approve") + "mode: act\n")
    assert book.rules[-1].policy.mode == APPROVE
    book = load(tmp_path, with_rule(mode="act") + "mode: off\n")
    assert book.rules[-1].policy.mode == OFF


def test_an_approval_has_what_it_says_and_the_defaults_for_the_rest(tmp_path: Path) -> None:
    asks = "{from: [finance, approver], wait: 5m, otherwise: page}"
    book = load(tmp_path, with_rule(mode="approve", approval=asks))
    assert book.rules[-1].policy.approval == Approval(("finance", "approver"), 300.0, "page")
    book = load(tmp_path, with_rule(mode="approve", approval="{wait: 5m}"))
    assert book.rules[-1].policy.approval == Approval(("approver",), 300.0, "hold")


FRIDAY = '{days: fri, between: ["16:00", "24:00"]}'
WRONG_FILES = [
    ("mode: bold", "unknown mode 'bold'; known: act, approve, off, shadow."),
    ("mode: shadw", "unknown mode 'shadw'; did you mean shadow?"),
    ("mode: [act]", "unknown mode ['act']"),
    ("mode:", "unknown mode None"),
    ("zone: Berlin", "'Berlin' is no time zone; write one such as Europe/Berlin."),
    ("zone: 2", "zone must be a time zone, such as Europe/Berlin."),
    ("freeze: friday", "freeze must be a list; begin each with `- when:`."),
    ("freeze: {when: {days: fri}}", "freeze must be a list"),
    ("freeze: [friday]", "a freeze window is a mapping with when, and a zone."),
    ("freeze: [{why: late}]", "when is missing: say when it holds"),
    ("freeze: [{when: {}}]", "when is missing"),
    ("freeze: [{when: {days: someday}}]", "'someday' is no weekday"),
    ("freeze: [{when: {days: ','}}]", "days names no day; write days such as mon-fri"),
    ("freeze: [{when: {days: }}]", "days has no value; give it one, or leave it out."),
    (
        'freeze: [{when: {dates: , between: ["16:00", "24:00"]}}]',
        "dates has no value; give it one, or leave it out.",
    ),
    ('freeze: [{when: {between: ["16:00"]}}]', 'between takes two times, such as ["16:00"'),
    (
        'freeze: [{when: {between: ["16:00", "16:00"]}}]',
        "between begins and ends at 16:00, so it never opens.",
    ),
    (
        'freeze: [{when: {between: ["4pm", "24:00"]}}]',
        "'4pm' is no time of the day; write it as 07:00.",
    ),
    ('freeze: [{when: {between: ["24:00", "25:00"]}}]', "'24:00' is no time of the day"),
    (
        "freeze: [{when: {dates: 02-30}}]",
        "'02-30' is no date of the calendar.",
    ),
    (
        "freeze: [{when: {dates: 1 May}}]",
        "is no date; write 09-01 for each year, or 2026-09-01.",
    ),
    (
        "freeze: [{when: {dates: 2026-12-05..2026-12-01}}]",
        "ends before it begins.",
    ),
    (
        "freeze: [{when: {dates: 2026-12-01..12-05}}]",
        "mixes a date of one year with one of each year.",
    ),
    (
        "freeze: [{when: {days: mon, dates: 2026-12-01}}]",
        "this window never opens: its dates are over, or none of them falls on such a day.",
    ),
    ("freeze: [{when: {dates: 2020-01-01..2020-01-05}}]", "this window never opens"),
    (
        "freeze: [{when: {days: mon-sun}}]",
        "this window never closes; to stop all changes, use mode: off.",
    ),
    (f"freeze: [{{when: {FRIDAY}, zone: Mars}}]", "'Mars' is no time zone"),
    (f"freeze: [{{when: {FRIDAY}, targets: [apo]}}]", "unknown target 'apo'; did you mean api?"),
    (f"freeze: [{{when: {FRIDAY}, targets: api}}]", "targets"),
    (f"freeze: [{{when: {FRIDAY}, for: 1h}}]", "unknown key for"),
    ("freeze: [{when: {day: fri}}]", "unknown key day"),
    ("limits: 6", "limits must be a mapping with changes."),
    ("limits: {change: [{max: 6, per: 1h}]}", "unknown key change"),
    ("limits: {changes: {max: 6, per: 1h}}", "changes"),
    ("limits: {changes: [{max: 6}]}", "a limit needs max and per, such as {max: 6, per: 1h}."),
    ("limits: {changes: [{per: 1h}]}", "a limit needs max and per"),
    (
        "limits: {changes: [{max: 0, per: 1h}]}",
        "max must be at least 1; to stop all, use mode: off.",
    ),
    ("limits: {changes: [{max: many, per: 1h}]}", "max"),
    ("limits: {changes: [{max: 6, per: hourly}]}", "per 'hourly' is not a duration"),
    ("limits: {changes: [{max: 6, per: '0'}]}", "per must be longer than 0, such as 1h."),
    ("limits: {changes: [{max: 6, per: 1y}]}", "per '1y' is longer than"),
    ("limits: {changes: [{max: 6, per: 1h, pause: x}]}", "pause 'x' is not a duration"),
    (
        "limits: {changes: [{max: 6, per: 1h, target: all}]}",
        "target must be each, or left out to count all.",
    ),
    (
        "limits: {changes: [{max: 6, per: 1h, action: vertical_scale}]}",
        "action must be each, or left out to count all.",
    ),
    (
        "limits: {changes: [{max: 6, per: 1h, target: each, action: each}]}",
        "a limit counts each target or each action, not both.",
    ),
    ("limits: {changes: [{max: 6, per: 1h, rule: each}]}", "unknown key rule"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG_FILES, ids=[each[0] for each in WRONG_FILES])
def test_what_is_wrong_with_the_policy_of_a_file_is_one_clear_sentence(
    tmp_path: Path, wrong: str, said: str
) -> None:
    (error,) = told(tmp_path, f"{GOOD}{wrong}\n")
    assert error.startswith("1.yml:9"), "the line is named"
    assert said in error
    assert error.endswith((".", "?"))


WRONG_RULES = [
    ({"mode": "bold"}, "mode"),
    ({"approval": "approver"}, "approval"),
    ({"approval": "{from: []}"}, "from must be a list of roles or groups, such as [approver]"),
    ({"approval": "{from: approver}"}, "from must be a list of roles or groups"),
    ({"approval": "{from: [5]}"}, "from"),
    ({"approval": '{from: [""]}'}, "from[1] is empty."),
    ({"approval": '{from: ["the cto"]}'}, "'the cto' is no role or group"),
    ({"approval": "{from: [a+b]}"}, "'a+b' is no role or group"),
    ({"approval": "{of: [cto]}"}, "unknown key of"),
    ({"approval": "{wait: soon}"}, "wait 'soon' is not a duration"),
    ({"approval": "{wait: '0'}"}, "wait must be longer than 0"),
    ({"approval": "{otherwise: beg}"}, "otherwise"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG_RULES, ids=[str(each[0]) for each in WRONG_RULES])
def test_what_is_wrong_with_the_approval_of_a_rule_is_one_clear_sentence(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    (error,) = told(tmp_path, with_rule(**wrong))
    assert "extra" in error
    assert said in error


@pytest.mark.parametrize("key", ["approval", "mode"])
def test_what_changes_nothing_asks_nobody(tmp_path: Path, key: str) -> None:
    asks = "approve" if key == "mode" else "{from: [cto]}"
    rule = with_rule(action="page_oncall", target=None, cooldown=None, **{key: asks})
    (error,) = told(tmp_path, rule)
    assert "is of no use to page_oncall, which changes nothing." in error


EVERY_PART = Policy(
    mode=SHADOW,
    freezes=(Freeze(Window((4,)), ("api",), "late"),),
    limits=(Limit(6, 3_600.0),),
    approval=Approval(wait_s=60.0),
    budget=Budget(200.0),
    returns=Return(1_800.0),
    expected=Expected(600.0, 3),
    demoted=True,
)
"""A policy of which no part is as it is by default."""


def test_each_part_of_a_policy_is_said_by_a_rule_or_by_the_top_of_a_file() -> None:
    parts = set(Policy.__dataclass_fields__)
    assert {part for part in parts if getattr(EVERY_PART, part) == getattr(Policy(), part)} == set()
    rule = Rule("high-cpu", (), "horizontal_scale", "api", policy=EVERY_PART)
    of_rule = policy_of(rule, Policy())
    of_top = policy_of(replace(rule, policy=Policy()), EVERY_PART)
    said_by_rule = {part for part in parts if getattr(of_rule, part) == getattr(EVERY_PART, part)}
    said_by_top = {part for part in parts if getattr(of_top, part) == getattr(EVERY_PART, part)}
    assert said_by_rule == {*OF_A_RULE, "mode"}
    assert said_by_top == parts - set(OF_A_RULE)


def test_each_part_of_a_policy_survives_being_pinned() -> None:
    assert policy_from_json(json.loads(json.dumps(EVERY_PART.to_json()))) == EVERY_PART
