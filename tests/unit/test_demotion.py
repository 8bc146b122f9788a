"""When a rule demotes itself, and what is in force then."""

from __future__ import annotations

import pytest

from service.domain.decisions.demoted import Demotion
from service.domain.decisions.demotion import as_demoted, next_mode, why_demoted
from service.domain.decisions.expected import CLEARED, NO_EFFECT, Expected, Slo
from service.domain.decisions.policy import ACT, APPROVE, SHADOW, Policy, policy_from_json

TEN = Slo(0.8, 10)


def results(cleared: int, of: int = 10) -> list[str]:
    return [CLEARED] * cleared + [NO_EFFECT] * (of - cleared)


@pytest.mark.parametrize(
    ("judged", "mode", "following"),
    [
        (results(8), ACT, None),
        (results(7), ACT, APPROVE),
        (results(0), ACT, APPROVE),
        (results(0, 9), ACT, None),
        (results(7), APPROVE, SHADOW),
        (results(0), SHADOW, None),
        ([], ACT, None),
    ],
    ids=[
        "the share is reached",
        "one too few",
        "none",
        "not yet judged often enough",
        "from approve",
        "there is nothing below shadow",
        "nothing judged",
    ],
)
def test_a_rule_demotes_itself_below_its_slo_by_one_mode(
    judged: list[str], mode: str, following: str | None
) -> None:
    assert next_mode(TEN, judged, mode) == following


@pytest.mark.parametrize("of", range(1, 101))
@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.8, 0.9, 1.0])
def test_exactly_the_share_is_enough_whatever_the_rounding(share: float, of: int) -> None:
    enough = -(-round(share * 10) * of // 10)
    assert next_mode(Slo(share, of), results(enough, of), ACT) is None
    assert next_mode(Slo(share, of), results(enough - 1, of), ACT) == APPROVE


@pytest.mark.parametrize("own", [ACT, APPROVE, SHADOW])
@pytest.mark.parametrize("demoted", [APPROVE, SHADOW])
def test_the_more_careful_of_the_two_modes_is_in_force(own: str, demoted: str) -> None:
    modes = (ACT, APPROVE, SHADOW)
    found = as_demoted(Policy(own), Demotion("m-1", "high-cpu", demoted, 0.0, "x"))
    assert found.mode == max(own, demoted, key=modes.index)
    assert found.demoted is (modes.index(demoted) > modes.index(own))


def test_nothing_else_of_the_policy_changes_and_it_is_pinned() -> None:
    policy = Policy(expected=Expected(600.0, 3, TEN))
    assert as_demoted(policy, None) is policy
    found = as_demoted(policy, Demotion("m-1", "high-cpu", SHADOW, 0.0, "x"))
    assert (found.expected, found.approval) == (policy.expected, policy.approval)
    assert policy_from_json(found.to_json()) == found
    former = {name: value for name, value in found.to_json().items() if name != "demoted"}
    assert not policy_from_json(former).demoted


def test_it_says_how_many_cleared_and_what_is_asked_for() -> None:
    assert why_demoted(TEN, results(6)) == (
        "6 of the last 10 changes have cleared their alerts, and its slo asks for 0.8 of them"
    )
