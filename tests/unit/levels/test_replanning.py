"""A growth beside what was measured: what was planned, what was read, and the week ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from service.domain.capacity.growth import measured
from service.domain.levels.levels import Levels
from service.domain.levels.replanning import replanned
from service.domain.readings.readings import DAY_S, Reading, beginning
from service.messages.weekly import week_summary
from tests.unit.levels.test_growth_levels import GROWTH, STARTED, WEEKS
from tests.unit.levels.test_levels import at
from tests.unit.rulebook_files import GOOD, load

MONTH = 365.25 / 12
MONDAY = at("2026-12-14T09:00")
"""The second week has begun: x was 1.2, and is 1.5 now."""


def reading(metric: str, target: str, day: float, value: float) -> Reading:
    return Reading(metric, target, day, value, value, value, value, 24)


def history(now: float, days: int = 60, growth: float = 1.5) -> list[Reading]:
    """Load that grows by `growth` in a month, quiet weekends, and what ran of the api: 4 instances
    on average at $12 each."""
    today = beginning(now, DAY_S)
    found = []
    for number in range(1, days + 1):
        day = today - number * DAY_S
        quiet = 0.6 if int(day // DAY_S) % 7 in (2, 3) else 1.0
        found += [
            reading("rps", "", day, 100 * quiet * growth ** (-number / MONTH)),
            reading("instances", "api", day, 4.0 if number % 2 else 4.4),
            reading("dollars", "api", day, 48.0 if number % 2 else 52.8),
        ]
    return found


def levels(folder: Path, text: str = GROWTH, baseline: int = 3) -> Levels:
    found = load(folder, GOOD, text).levels
    return replace(found, baselines=MappingProxyType({STARTED: baseline}))


def one(made: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    (found,) = made
    (count,) = found["counts"]
    return found, count


def test_what_was_planned_and_read_and_the_week_ahead_by_both(tmp_path: Path) -> None:
    """By hand: from the week before the 7th to the last one the load grew for seven days, and it
    grows for seven more: 3 × 1.5 ^ (14 days of a month) is 3.6, so 4 instances."""
    found, count = one(replanned(levels(tmp_path), history(MONDAY), MONDAY))
    assert found["load"] == pytest.approx(1.5 ** (7 / MONTH))
    assert found["growth_a_month"]["mid"] == pytest.approx(0.5, abs=0.01)
    assert (count["planned"], count["next"], count["by_readings"]) == (4, 5, 4)
    assert count["read"] == pytest.approx((4 * 4.0 + 3 * 4.4) / 7)
    assert (count["next_dollars"], count["by_readings_dollars"]) == pytest.approx((60.0, 48.0))


def test_a_faster_load_asks_for_more_and_never_for_more_than_the_target_may_have(
    tmp_path: Path,
) -> None:
    _, faster = one(replanned(levels(tmp_path), history(MONDAY, growth=8.0), MONDAY))
    assert faster["by_readings"] == 8, "3 × 8 ^ (14 days of a month) is 7.8"
    _, most = one(replanned(levels(tmp_path, baseline=8), history(MONDAY, growth=8.0), MONDAY))
    assert most["by_readings"] == 10


@pytest.mark.parametrize(
    ("days", "because"),
    [
        (27, "27 days of rps are kept that are above 0, and 28 are needed"),
        (0, "0 days of rps are kept"),
    ],
)
def test_with_too_few_days_a_sentence_says_so_and_the_plan_is_told_all_the_same(
    tmp_path: Path, days: int, because: str
) -> None:
    found, count = one(replanned(levels(tmp_path), history(MONDAY, days), MONDAY))
    assert because in found["because"]
    assert "So only the plan of the rules is told." in found["because"]
    assert (count["next"], count["by_readings"]) == (5, None)


def test_days_that_are_missing_of_the_week_before_the_start_are_said(tmp_path: Path) -> None:
    start = beginning(at("2026-12-07T00:00"), DAY_S)
    kept = [
        each for each in history(MONDAY) if not start - 7 * DAY_S <= each.at < start - 4 * DAY_S
    ]
    found, count = one(replanned(levels(tmp_path), kept, MONDAY))
    assert (
        "4 weekdays have readings of rps both in the last week and in the week" in found["because"]
    )
    assert count["by_readings"] is None


@pytest.mark.parametrize(
    ("day", "planned", "ahead"),
    [
        ("2026-11-23", None, None),
        ("2026-12-07", None, "gradual.week-1"),
        ("2026-12-14", 4, "gradual.week-2"),
        ("2026-12-28", 6, "gradual.week-4"),
        ("2027-01-04", 6, "gradual.week-4"),
        ("2027-01-18", None, None),
    ],
)
def test_a_growth_is_told_from_its_start_until_a_week_after_its_last(
    tmp_path: Path, day: str, planned: int | None, ahead: str | None
) -> None:
    now = at(f"{day}T09:00")
    made = replanned(levels(tmp_path), history(now), now)
    assert [(each["week"], each["counts"][0]["planned"]) for each in made] == (
        [] if ahead is None else [(ahead, planned)]
    )


def test_the_message_says_it_in_sentences_with_dollars(tmp_path: Path) -> None:
    report = {
        "runs": {},
        "days": [],
        "cost": {},
        "growths": replanned(levels(tmp_path), history(MONDAY), MONDAY),
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("service.messages.weekly.summary", lambda cost: "It costs $1.")
        told = week_summary(report)
    assert (
        "Growth gradual from 2026-12-07, with gradual.week-2 ahead: replicas of api last week: at "
        "least 4 planned, 4.2 on average; next week: 5 ($60.00 a month) planned, and by the "
        "readings 4 ($48.00 a month). The load was 1.10 times that of the week before it began, "
        "and grows by 50% a month (50% to 50%). The rules' plan holds all the same"
    ) in told


def test_sizes_and_strategies_of_the_week_ahead_are_named(tmp_path: Path) -> None:
    found = load(tmp_path, WEEKS).levels
    known = {("gradual from 2026-12-07", "db", "size"): "ci_micro"}
    now = at("2026-12-28T09:00")
    made = replanned(replace(found, baselines=MappingProxyType(known)), history(now), now)
    assert made[0]["holds"] == [
        "strategy of app-cache multi_region",
        "size of db at least ci_small",
    ]


def test_growth_of_the_history_is_what_was_put_in() -> None:
    days = [(each.at, each.mean) for each in history(MONDAY) if each.metric == "rps"]
    assert measured("rps", days).mid == pytest.approx(0.5, abs=0.01)
