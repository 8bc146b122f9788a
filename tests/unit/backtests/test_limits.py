"""Limits as people write them."""

from __future__ import annotations

import pytest

from service.domain.backtests.limits import BadLimit, passed_limits, read_limit

TOTALS = {"actions": (4.0, 15.0), "pages": (3.0, 1.0), "dollars": (12.5, 20.0)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("actions>+10", "actions>+10 fails: actions 4 → 15 (+11)."),
        ("actions>+11", ""),
        (" actions > + 10 ", "actions > + 10 fails: actions 4 → 15 (+11)."),
        ("actions>14", "actions>14 fails: actions 4 → 15 (15)."),
        ("actions>15", ""),
        ("pages<-1", "pages<-1 fails: pages 3 → 1 (-2)."),
        ("pages<-2", ""),
        ("dollars>+7.4", "dollars>+7.4 fails: dollars 12.5 → 20 (+7.5)."),
        ("dollars>+7.5", ""),
        ("pages<2", "pages<2 fails: pages 3 → 1 (1)."),
    ],
)
def test_a_limit_is_passed_only_beyond_its_number(text: str, said: str) -> None:
    assert read_limit(text).passed_by(TOTALS) == said


def test_every_limit_that_is_passed_is_told() -> None:
    limits = [read_limit(text) for text in ("actions>+1", "pages>+1", "dollars>+1")]
    assert [each.split()[0] for each in passed_limits(limits, TOTALS)] == [
        "actions>+1",
        "dollars>+1",
    ]


@pytest.mark.parametrize("text", ["", "actions", "actions>", "actions=3", "actions>+ten", ">3"])
def test_what_is_no_limit_is_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(BadLimit, match=r"is no limit\. .*'actions>\+10' fails where"):
        read_limit(text)


def test_a_limit_on_something_that_is_not_counted_names_what_is() -> None:
    with pytest.raises(BadLimit, match=r"'scalings' in 'scalings>1' is nothing .* pages, holds"):
        read_limit("scalings>1")
