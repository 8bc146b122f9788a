"""Growth in a rule file: a floor that rises by the week, by factors of what there was before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from service.domain.levels.levels import Baseline, Levels, Value
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


WEEKS = """\
targets:
  api:
    kind: app_platform
    app: app-1
    component: api
    replicas: {min: 2, max: 10}
  db:
    kind: supabase
    project: quizmentorquizmentor
    sizes: [ci_micro, ci_small, ci_medium]
    replicas: {max: 1, limit: 2, regions: [us-east-1]}
  app-cache: {kind: cache, prefixes: ["cache:"]}
rules:
  - {name: cpu, match: [alertname=CPU], action: horizontal_scale, target: api, cooldown: 10m}
zone: America/New_York
levels:
  - name: gradual
    kind: growth
    starts: 2026-12-07
    growth: 2.0
    of: current
    weeks:
      - {x: 1.2, hold: {app-cache: {strategy: standard}}}
      - {x: 1.5, hold: {app-cache: {strategy: aggressive}}}
      - {x: 1.8, hold: {db: {replicas: next}}}
      - {x: 2.0, hold: {db: {size: next}, app-cache: {strategy: multi_region}}}
    hold: {api: [replicas]}
"""
"""The runbook's four weeks (Scenario 2: Gradual Growth)."""


def week(folder: Path, day: str, text: str = WEEKS, **baselines: Value) -> dict[str, str]:
    """What holds on a day at noon for each attribute, in words."""
    book = load(folder, text)
    known: dict[Baseline, Value] = {}
    for name, value in baselines.items():
        target, attribute = name.split("__")
        known["gradual from 2026-12-07", target, attribute] = value
    found = levels_told(book.levels, book.hash, at(f"{day}T12:00"), 1, Acted(baselines=known))
    return {f"{each['target']} {each['attribute']}": each["holds"] for each in found["items"]}


def test_the_four_weeks_of_the_runbook_hold_counts_strategy_replicas_and_size(
    tmp_path: Path,
) -> None:
    known: dict[str, Any] = {"api__replicas": 3, "db__replicas": 0, "db__size": "ci_small"}
    weeks = ("2026-12-07", "2026-12-14", "2026-12-21", "2026-12-28", "2027-06-01")
    found = [week(tmp_path, day, **known) for day in weeks]
    assert [each["api replicas"] for each in found] == [
        f"as it is, {floor} to 10" for floor in (4, 5, 6, 6, 6)
    ]
    assert [each["app-cache strategy"] for each in found] == [
        *("standard", "aggressive", "aggressive"),
        *("multi_region", "multi_region"),
    ]
    assert [each["db replicas"] for each in found] == [
        f"as it is, {floor} to 2" for floor in (0, 0, 1, 1, 1)
    ]
    assert [each["db size"] for each in found] == [
        *("as it is", "as it is", "as it is"),
        *("at least ci_medium", "at least ci_medium"),
    ]


def test_the_next_size_of_the_largest_is_the_largest(tmp_path: Path) -> None:
    found = week(tmp_path, "2026-12-28", db__size="ci_medium")
    assert found["db size"] == "at least ci_medium"


def test_what_there_was_is_kept_of_all_weeks_when_the_first_begins(tmp_path: Path) -> None:
    begun = load(tmp_path, WEEKS).levels.beginning(at("2026-12-07T00:00"))
    assert {each[1:] for each in begun} == {("api", "replicas"), ("db", "replicas"), ("db", "size")}


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (
            {},
            "of the next size by gradual.week-4: it is not known yet what there was at its start",
        ),
        ({"db__size": "nano"}, "nano, which there was at its start, is not among its sizes"),
    ],
)
def test_what_cannot_be_told_is_shown_with_its_reason(
    tmp_path: Path, known: dict[str, str], why: str
) -> None:
    book = load(tmp_path, WEEKS)
    start: Baseline = ("gradual from 2026-12-07", "db", "size")
    baselines: dict[Baseline, Value] = dict.fromkeys(
        [start] if known else [], known.get("db__size", "")
    )
    acted = Acted(baselines=baselines)
    found = levels_told(book.levels, book.hash, at("2027-01-05T12:00"), 1, acted)["items"]
    (size,) = (each for each in found if (each["target"], each["attribute"]) == ("db", "size"))
    assert size["holds"] == "as it is"
    assert any(why in each for each in size["beat"]), size["beat"]


def test_a_size_of_a_week_is_a_floor_that_a_calendar_aims_above_or_below(tmp_path: Path) -> None:
    calendar = (
        "  - {{name: term, kind: calendar, when: {{dates: 01-01..06-30}}, "
        "hold: {{db: {{size: {size}}}}}}}\n"
    )
    known = {"db__size": "ci_micro"}
    for size, holds in (("ci_micro", "ci_small"), ("ci_medium", "ci_medium")):
        text = WEEKS + calendar.format(size=size)
        assert week(tmp_path, "2027-01-05", text, **known)["db size"] == holds


def test_a_week_without_a_factor_keeps_that_of_the_week_before(tmp_path: Path) -> None:
    text = WEEKS.replace("{x: 1.8, hold: {db: {replicas: next}}}", "{hold: {db: {replicas: 2}}}")
    found = week(tmp_path, "2026-12-21", text, api__replicas=3)
    assert (found["api replicas"], found["db replicas"]) == (
        "as it is, 5 to 10",
        "as it is, 2 to 2",
    )


@pytest.mark.parametrize(
    ("given", "instead", "said"),
    [
        (
            "replicas: next",
            "replicas: 3",
            "1.yml:25: level gradual: its floor 3 is above the limit 2",
        ),
        ("strategy: standard", "strategy: next", "23: level gradual: strategy of app-cache has no"),
        ("strategy: standard", "strategy: bold", "'bold' is none of app-cache; it can be standard"),
        ("size: next", "size: ci_large", "26: level gradual: 'ci_large' is none of db; it can be"),
        ("size: next", "size: 4", "26: level gradual: 4 is none of db"),
        ("size: next", "sizes: next", "no level can hold sizes of db, which is of kind supabase"),
        (
            "replicas: next",
            "replicas: [1]",
            "25: level gradual: week 3 holds replicas of db at [1]",
        ),
        ("replicas: next", "replicas: many", "25: level gradual: floor must be a whole number"),
        ("{x: 1.8, hold: {db: {replicas: next}}}", "{}", "week 3 says nothing; give it x, or hold"),
        ("    hold: {api: [replicas]}\n", "", "hold is missing: the counts that grow by x"),
    ],
)
def test_a_week_that_its_target_cannot_take_is_refused_once_with_its_line(
    tmp_path: Path, given: str, instead: str, said: str
) -> None:
    assert given in WEEKS
    problems = told(tmp_path, WEEKS.replace(given, instead))
    assert sum(said in each for each in problems) == 1, problems
