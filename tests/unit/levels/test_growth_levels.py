"""Growth in a rule file: a floor that rises by the week, by factors of what there was before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from service.domain.levels.levels import Levels
from service.domain.levels.resolve import standing
from service.domain.levels.told import Acted, levels_told
from tests.unit.levels.test_levels import API, at
from tests.unit.rulebook_files import GOOD, load, told

GROWTH = """\
zone: America/New_York
levels:
  - name: gradual
    kind: growth
    starts: 2026-12-07
    growth: 2.0
    of: current
    weeks: [{x: 1.2}, {x: 1.5}, {x: 1.8}, {x: 2.0}]
    hold: {api: [replicas]}
"""
STARTED = ("gradual from 2026-12-07", "api", "replicas")


def levels(folder: Path, text: str, baseline: int | None) -> Levels:
    found = load(folder, GOOD, text).levels
    known = {} if baseline is None else {STARTED: baseline}
    return replace(found, baselines=MappingProxyType(known))


@pytest.mark.parametrize(
    ("day", "floor"),
    [
        ("2026-12-06T23:59", 2),
        ("2026-12-07T00:00", 4),
        ("2026-12-13T23:59", 4),
        ("2026-12-14T00:00", 5),
        ("2026-12-21T12:00", 6),
        ("2026-12-28T12:00", 6),
        ("2027-08-01T12:00", 6),
    ],
)
def test_the_floor_rises_by_the_week_and_stays_for_good(
    tmp_path: Path, day: str, floor: int
) -> None:
    assert standing(levels(tmp_path, GROWTH, 3), API, at(day)).least == floor


def test_of_what_is_projected_the_factors_are_of_the_growth(tmp_path: Path) -> None:
    projected = GROWTH.replace("of: current", "of: projected")
    assert standing(levels(tmp_path, projected, 3), API, at("2026-12-28T12:00")).least == 10, (
        "2 × 2 × 3 is 12, and the maximum of the target is 10"
    )


def test_before_it_is_known_how_many_there_were_nothing_holds(tmp_path: Path) -> None:
    before = levels(tmp_path, GROWTH, None)
    now = at("2026-12-08T12:00")
    assert standing(before, API, now).least == 2
    assert before.beginning(now) == {STARTED}
    assert before.beginning(at("2026-12-06T12:00")) == frozenset()
    assert levels(tmp_path, GROWTH, 3).beginning(now) == frozenset()


def test_what_grows_is_told_with_the_week_that_counts(tmp_path: Path) -> None:
    book = load(tmp_path, GOOD, GROWTH)
    acted = Acted(baselines={STARTED: 3})
    found = levels_told(book.levels, book.hash, at("2026-12-08T12:00"), 7, acted)
    (item,) = found["items"]
    assert "floor 4 by gradual.week-1" in item["why"]
    assert "floor 5 by gradual.week-2" in item["changes"][0]["why"]


@pytest.mark.parametrize(
    ("given", "instead", "said"),
    [
        ("{x: 1.5}", "{x: 1.2}", "week 2 has x 1.2, and the week before 1.2: factors must rise."),
        ("    of: current\n", "", "of is missing: `current` where x is times what there was"),
        ("2026-12-07", "2026-02-30", "starts must be a date such as 2026-12-07, not '2026-02-30'."),
        ("[replicas]", "[]", "hold holds nothing"),
        ("[replicas]", "[workers]", "no level can hold workers of api"),
        ("api: [", "apy: [", "unknown target 'apy'"),
    ],
)
def test_growth_that_cannot_be_meant_is_refused(
    tmp_path: Path, given: str, instead: str, said: str
) -> None:
    assert given in GROWTH
    problems = told(tmp_path, GOOD, GROWTH.replace(given, instead))
    assert any(said in each for each in problems), problems
