"""The rate of new incidents: when a flood begins, goes on and ends."""

from __future__ import annotations

import pytest

from service.domain.alerts.floods import (
    INCIDENTS_A_MINUTE,
    Rate,
    beyond,
    flood_key,
    is_flood_key,
    rate_after,
)

MINUTE = 29_000_000


@pytest.mark.parametrize(
    ("before", "minute", "after"),
    [
        (None, MINUTE, Rate(MINUTE, 3, MINUTE)),
        (Rate(MINUTE, 5, MINUTE), MINUTE, Rate(MINUTE, 8, MINUTE)),
        (Rate(MINUTE, 10, MINUTE), MINUTE + 1, Rate(MINUTE + 1, 3, MINUTE + 1)),
        (Rate(MINUTE, 11, MINUTE - 4), MINUTE + 1, Rate(MINUTE + 1, 3, MINUTE - 4)),
        (Rate(MINUTE, 11, MINUTE), MINUTE + 2, Rate(MINUTE + 2, 3, MINUTE + 2)),
        (Rate(MINUTE, 5, MINUTE), MINUTE - 1, Rate(MINUTE, 8, MINUTE)),
        (Rate(MINUTE, 50, MINUTE), MINUTE - 60, Rate(MINUTE - 60, 3, MINUTE - 60)),
    ],
    ids=[
        "the first",
        "more in the same minute",
        "ten were no flood",
        "a flood goes on",
        "a minute without incidents ends it",
        "a clock that is a minute behind counts along",
        "a clock that was set back begins anew",
    ],
)
def test_incidents_are_counted_by_the_minute(before: Rate | None, minute: int, after: Rate) -> None:
    assert rate_after(before, minute, 3) == after


@pytest.mark.parametrize(
    ("total", "fresh", "over"), [(10, 10, 0), (11, 1, 1), (14, 6, 4), (30, 5, 5)]
)
def test_what_is_beyond_ten_goes_into_the_flood(total: int, fresh: int, over: int) -> None:
    assert INCIDENTS_A_MINUTE == 10
    assert beyond(Rate(MINUTE, total, MINUTE), fresh) == over


def test_the_key_of_a_flood_is_known_by_its_form_and_shows_no_name() -> None:
    key = flood_key("some user", MINUTE)
    assert is_flood_key(key)
    assert not is_flood_key("runbookd/0123456789abcdef0123456789abcdef")
    assert "some user" not in key
    assert key != flood_key("some user", MINUTE + 1)
