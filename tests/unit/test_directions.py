"""Which way a change goes, and what holds one that may go any way."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.capacity.taking import held_by_askers
from service.domain.decisions.controls import HOLD, PAUSE, Control, check_pauses
from service.domain.decisions.directions import DIRECTIONS, REMOVING, is_less, takes_away
from service.domain.decisions.guards import held_by_people
from service.domain.decisions.returns import Asker
from tests.fakes.runs import API, request_for

NOW = 1_800_000_000.0
LADDER = ("small", "medium", "large")
EXACT = request_for("set_capacity", API, options={"replicas": 5, "exact": True})
LEAST = request_for("set_capacity", API, options={"replicas": 5, "size": "professional-m"})
LARGER = request_for("set_capacity", API, options={"size": "professional-m"})


@pytest.mark.parametrize(
    ("before", "after", "less"),
    [
        (5, 3, True),
        (3, 5, False),
        (3, 3, False),
        ("large", "small", True),
        ("small", "large", False),
        ("custom", "small", None),
        ("small", "custom", None),
        (None, 3, None),
    ],
)
def test_less_is_a_smaller_number_or_an_earlier_size_of_the_ladder(
    before: Any, after: Any, less: bool | None
) -> None:
    assert is_less(before, after, LADDER) is less


def test_what_may_be_less_counts_as_taken_away() -> None:
    changed = {"replicas": (2, 4), "size": ("large", "small"), "other": ("custom", "small")}
    assert takes_away(changed, LADDER) == ["size", "other"]


def test_only_an_exact_request_has_the_claim_of_values_and_may_take_away() -> None:
    assert (EXACT.claim, EXACT.removes) == ("api.set", True)
    assert (LEAST.claim, LEAST.removes) == ("api.out", False)
    assert (LARGER.claim, LARGER.removes) == ("api.up", False)


def test_what_was_set_counts_as_added_for_those_who_wait_until_it_settles() -> None:
    assert EXACT.direction not in REMOVING


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_pause_of_any_one_direction_holds_what_may_go_any_way(direction: str) -> None:
    pause = Control("p-1", PAUSE, "anna", "exams", NOW, NOW + 60, "api", direction=direction)
    assert not check_pauses([pause], EXACT.subject_of_controls, NOW).passed
    assert check_pauses([pause], LEAST.subject_of_controls, NOW).passed == (direction != "out")


def test_a_persons_hold_bars_an_exact_request_and_none_that_only_adds() -> None:
    hold = Control("h-1", HOLD, "anna", "the exam", NOW, NOW + 60, "api")
    barred = held_by_people(EXACT, [hold], NOW)["holds"]
    assert barred is not None
    assert not barred.passed
    assert held_by_people(LEAST, [hold], NOW)["holds"] is None


@pytest.mark.parametrize(
    ("less", "fires", "held"),
    [(["size"], True, True), (["size"], False, False), ([], True, False)],
    ids=["it fires", "it has resolved", "nothing is taken away"],
)
def test_whoever_asks_for_more_wins(less: list[str], fires: bool, held: bool) -> None:
    found = held_by_askers("api", less, [Asker("Idle", fires=False), Asker("High CPU", fires)])
    assert (found is not None) is held
    if found is not None:
        assert found.reason.startswith("High CPU fires and asks for more of api, so nothing of its")
