from __future__ import annotations

from typing import Any

import pytest

from service.domain.capacity.three_way import AlreadyThere, Conflict, Difference, ToWrite, merge

PLANNED: dict[str, Any] = {"count": 2, "size": "xs"}


@pytest.mark.parametrize(
    ("found", "wanted", "result"),
    [
        ({"count": 2, "size": "xs"}, {"count": 3}, ToWrite({"count": 3})),
        ({"count": 2, "size": "xs"}, {"count": 3, "size": "m"}, ToWrite({"count": 3, "size": "m"})),
        ({"count": 3, "size": "xs"}, {"count": 3, "size": "m"}, ToWrite({"size": "m"})),
        ({"count": 3, "size": "xs"}, {"count": 3}, AlreadyThere()),
        ({"count": 3, "size": "m"}, {"count": 3, "size": "m"}, AlreadyThere()),
    ],
    ids=["one field", "two fields", "one of two is there", "there", "both are there"],
)
def test_only_the_wanted_fields_that_are_not_there_are_written(
    found: dict[str, Any], wanted: dict[str, Any], result: object
) -> None:
    assert merge(PLANNED, found, wanted) == result


@pytest.mark.parametrize(
    ("found", "wanted", "differences"),
    [
        ({"count": 5, "size": "xs"}, {"count": 3}, [Difference("count", 2, 5, 3)]),
        ({"count": 2, "size": "m"}, {"count": 3}, [Difference("size", "xs", "m", "xs")]),
        (
            {"count": 5, "size": "m"},
            {"count": 3},
            [Difference("count", 2, 5, 3), Difference("size", "xs", "m", "xs")],
        ),
        ({"count": None, "size": "xs"}, {"count": 3}, [Difference("count", 2, None, 3)]),
        (
            {"count": 3, "size": "l"},
            {"count": 3, "size": "m"},
            [Difference("size", "xs", "l", "m")],
        ),
    ],
    ids=["wanted", "only planned from", "both", "gone", "one of two is there"],
)
def test_a_field_that_somebody_else_changed_is_a_conflict_that_names_who_has_what(
    found: dict[str, Any], wanted: dict[str, Any], differences: list[Difference]
) -> None:
    assert merge(PLANNED, found, wanted) == Conflict(tuple(differences))


def test_what_is_wanted_and_there_needs_no_write_whatever_else_a_person_changed() -> None:
    assert merge(PLANNED, {"count": 3, "size": "m"}, {"count": 3}) == AlreadyThere()


def test_a_conflict_reads_as_a_sentence() -> None:
    found: dict[str, Any] = {"count": 5, "size": None}
    assert str(merge(PLANNED, found, {"count": 3})) == (
        "count was 2 when this run looked and is 5 now; "
        "size was xs when this run looked and is gone or scaled by the vendor itself"
    )
