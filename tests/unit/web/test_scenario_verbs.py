"""What people may do with a scenario, by the state that it is in."""

from __future__ import annotations

import pytest

from service.domain.scenarios.going import ENDED, UNENDED
from service.web.console.scenarios import _verbs


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        ("planning", ["cancel"]),
        ("waiting", ["cancel"]),
        ("unsigned", ["cancel"]),
        ("running", ["cancel", "undo"]),
        ("active", ["undo"]),
        ("undoing", []),
        ("undone", []),
        ("rejected", []),
        ("cancelled", ["undo"]),
        ("incomplete", ["undo"]),
        ("done", ["undo"]),
    ],
)
def test_only_what_fits_the_state_is_offered(state: str, verbs: list[str]) -> None:
    assert state in (*ENDED, *UNENDED)
    assert _verbs(state, plan=False) == verbs


def test_a_plan_has_nothing_to_stop_or_to_take_back() -> None:
    assert all(_verbs(state, plan=True) == [] for state in (*ENDED, *UNENDED))
