"""Growth: measured robustly, with an interval that holds, or refused in a sentence."""

from __future__ import annotations

import math
import random

import pytest

from service.domain.capacity.growth import LEAST_DAYS, MOST_DAYS, Growth, NoPlan, given, measured
from service.domain.readings.readings import DAY_S

MONTH = 365.25 / 12
Days = list[tuple[float, float]]


def history(seed: int, days: int, factor: float, spikes: float = 0.03) -> Days:
    """Daily requests a second that grow by `factor` in a month: quiet weekends, 5 % of noise, and
    spikes of ten times on some of the days."""
    chance = random.Random(seed)
    return [
        (
            day * DAY_S,
            100.0
            * factor ** ((day - 20_000) / MONTH)
            * (0.6 if day % 7 >= 5 else 1.0)
            * math.exp(chance.gauss(0, 0.05))
            * (10.0 if chance.random() < spikes else 1.0),
        )
        for day in range(20_000, 20_000 + days)
    ]


def least_squares(days: Days) -> float:
    """What an ordinary regression on logarithms says, for comparison."""
    points = [(at / DAY_S, math.log(value)) for at, value in days]
    x, y = (sum(each) / len(points) for each in zip(*points, strict=True))
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return math.expm1(slope * MONTH)


def test_doubling_each_month_is_found_through_weekends_and_viral_spikes() -> None:
    """The interval is one of 95 %: of 100 histories 95 or so have the truth in it."""
    found = [measured("rps", history(seed, 60, 2.0)) for seed in range(100)]
    errors = [abs(each.mid - 1.0) for each in found]
    others = [abs(least_squares(history(seed, 60, 2.0)) - 1.0) for seed in range(100)]
    assert sum(errors) / 100 < 0.03
    assert sum(others) / 100 > 0.1
    assert sum(each.low <= 1.0 <= each.high for each in found) >= 93
    assert max(each.high - each.low for each in found) < 0.3


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.05, 3.0])
def test_any_growth_is_found_and_shrinking_too(factor: float) -> None:
    found = measured("rps", history(7, 90, factor))
    assert found.mid == pytest.approx(factor - 1, abs=0.05)
    assert found.low <= found.mid <= found.high
    assert (found.days, found.is_sure) == (90, False)


def test_quiet_weekends_at_the_end_of_the_history_are_no_fall() -> None:
    flat = [(at, value) for at, value in history(1, 30, 1.0, spikes=0.0)]
    assert measured("rps", flat).mid == pytest.approx(0.0, abs=0.05)


def test_a_weekday_is_only_compared_with_the_same_weekday() -> None:
    """Each weekday has its own level. Between different ones the slope would be that of a week."""
    week = (1.0, 0.9, 1.2, 0.7, 1.4, 0.3, 0.5)
    days = [(day * DAY_S, 100 * week[day % 7] * 1.3 ** (day / MONTH)) for day in range(30)]
    found = measured("rps", days)
    for growth in (found.low, found.mid, found.high):
        assert growth == pytest.approx(0.3, abs=1e-9)


def test_more_days_make_the_interval_narrower() -> None:
    short, long = (measured("rps", history(3, days, 1.2)) for days in (28, 180))
    assert long.high - long.low < (short.high - short.low) / 3


def test_only_the_newest_year_counts_and_days_that_are_missing_do_no_harm() -> None:
    shrank = [(at - 400 * DAY_S, value) for at, value in history(5, 300, 0.5)]
    days = [*shrank, *history(5, MOST_DAYS, 1.1)]
    found = measured("rps", [each for number, each in enumerate(days) if number % 5])
    assert found.mid == pytest.approx(0.1, abs=0.02)
    assert found.days <= MOST_DAYS


def test_the_order_of_the_days_does_not_matter() -> None:
    days = history(2, 40, 1.3)
    assert measured("rps", reversed(days)) == measured("rps", days)


def test_fewer_than_four_weeks_are_too_few_and_the_sentence_says_what_to_do() -> None:
    with pytest.raises(NoPlan, match=r"27 days of rps are kept.*28 are needed.*--growth 0\.2"):
        measured("rps", history(1, LEAST_DAYS - 1, 1.2))
    assert measured("rps", history(1, LEAST_DAYS, 1.2)).days == LEAST_DAYS


def test_without_any_reading_the_same_is_said() -> None:
    with pytest.raises(NoPlan, match="0 days of rps"):
        measured("rps", [])


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf, -math.inf])
def test_a_day_that_says_nothing_of_growth_is_left_out(bad: float) -> None:
    days = history(4, 40, 1.2)
    worse = [*days, (20_040 * DAY_S, bad)]
    assert measured("rps", worse) == measured("rps", days)
    with pytest.raises(NoPlan, match="0 days of rps"):
        measured("rps", [(at, bad) for at, _ in days])


def test_a_history_that_stands_still_is_no_growth_of_zero() -> None:
    with pytest.raises(NoPlan, match=r"exactly the same on all of 40 days.*exporter"):
        measured("rps", [(day * DAY_S, 12.0) for day in range(40)])


def test_a_person_gives_the_growth_without_an_interval() -> None:
    assert given(0.2) == Growth(0.2, 0.2, 0.2)
    assert given(0.0).is_sure


@pytest.mark.parametrize("bad", [-0.1, 10.5, math.nan, math.inf])
def test_a_growth_that_cannot_be_is_refused(bad: float) -> None:
    with pytest.raises(NoPlan, match="--growth is the growth in a month"):
        given(bad)
