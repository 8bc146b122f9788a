"""A plan in words: what a person reads of it, and what can be read back."""

from __future__ import annotations

import pytest

from service.domain.decisions.planning import change_of, state_of, together, values_of


def test_each_attribute_is_told_with_its_own_values() -> None:
    plan = together([("replicas", "2", "10"), ("size", "basic-s", "basic-m")])
    assert change_of(*plan) == "replicas 2 → 10; size basic-s → basic-m"
    assert state_of(plan[0], plan[2]) == "replicas 10; size basic-m"
    assert dict(values_of(plan[0], plan[1])) == {"replicas": "2", "size": "basic-s"}


def test_one_attribute_is_told_alone() -> None:
    plan = together([("replicas", "2", "3")])
    assert plan == ("replicas", "2", "3")
    assert change_of(*plan) == "replicas 2 → 3"


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (("files", "3 of 4 × 2", "none"), "files 3 of 4 × 2 → none"),
        (("rules and limits", "none", "4 rules"), "rules and limits none → 4 rules"),
    ],
)
def test_a_text_that_is_no_list_of_values_is_told_as_it_is(
    plan: tuple[str, str, str], told: str
) -> None:
    assert change_of(*plan) == told
