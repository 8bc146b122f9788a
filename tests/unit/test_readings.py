"""Readings of hours and days: what they are made of, and which hours are missing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.readings.metrics import METRICS, expressions, unit_of
from service.domain.readings.readings import (
    AT_ONCE,
    BACK_S,
    DAY_S,
    GRACE_S,
    HOUR_S,
    Reading,
    percentile,
    reading_of_day,
    readings_of_hours,
    wanted_hours,
)
from tests.unit.rulebook_files import GOOD, load, told

NOON = 1_795_000_000.0 // HOUR_S * HOUR_S
DAY = NOON // DAY_S * DAY_S


def samples(hour: float, *values: float) -> list[tuple[float, float]]:
    return [(hour + 60.0 * number, value) for number, value in enumerate(values)]


def test_an_hour_has_the_mean_the_ends_and_the_95th_percentile_of_its_samples() -> None:
    found = readings_of_hours("cpu", samples(NOON, *range(1, 21)), [NOON])
    assert found == [Reading("cpu", "", NOON, 10.5, 1, 20, 19, 20)]


def test_an_hour_without_a_sample_has_no_reading() -> None:
    hours = [NOON, NOON + HOUR_S]
    found = readings_of_hours("cpu", samples(NOON + HOUR_S, 5.0), hours)
    assert [each.at for each in found] == [NOON + HOUR_S]
    assert readings_of_hours("cpu", samples(NOON, math.nan, math.inf), hours) == []


def test_samples_of_an_hour_that_was_not_asked_for_are_left_out() -> None:
    found = readings_of_hours("cpu", [*samples(NOON - 60, 90.0), *samples(NOON, 50.0)], [NOON])
    assert [(each.mean, each.samples) for each in found] == [(50.0, 1)]


def test_a_day_is_made_of_its_hours_which_all_count_the_same() -> None:
    busy = Reading("cpu", "", DAY, 80.0, 70.0, 99.0, 95.0, 60)
    short = Reading("cpu", "", DAY + HOUR_S, 20.0, 10.0, 30.0, 25.0, 1)
    assert reading_of_day([busy, short]) == Reading("cpu", "", DAY, 50.0, 10.0, 99.0, 95.0, 2)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_one_of_the_values_and_not_exceeded_by_its_share(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(each <= found for each in values) >= share * len(values) - 1e-9


def test_the_hour_that_has_just_ended_waits_for_its_last_scrape() -> None:
    ended = NOON + HOUR_S
    assert wanted_hours([], ended + GRACE_S - 1)[-1] == NOON - HOUR_S
    assert wanted_hours([], ended + GRACE_S)[-1] == NOON


def test_the_newest_missing_hours_are_read_first_and_a_day_of_them_at_once() -> None:
    now = NOON + GRACE_S
    first = wanted_hours([], now)
    assert first == [NOON - n * HOUR_S for n in range(AT_ONCE, 0, -1)]
    assert wanted_hours(first, now)[-1] == first[0] - HOUR_S


def test_a_gap_is_found_between_hours_that_were_read() -> None:
    now = NOON + GRACE_S
    hours = {NOON - n * HOUR_S for n in range(1, int(BACK_S / HOUR_S) + 48)}
    assert wanted_hours(hours, now) == []
    gap = {NOON - 30 * HOUR_S, NOON - 29 * HOUR_S}
    assert wanted_hours(hours - gap, now) == sorted(gap)


def test_an_hour_that_prometheus_no_longer_has_is_not_asked_for() -> None:
    asked: set[float] = set()
    while more := wanted_hours(asked, NOON + GRACE_S):
        asked |= set(more)
    assert min(asked) == NOON - BACK_S
    assert len(asked) == BACK_S / HOUR_S


def test_what_the_rules_ask_wins_over_what_is_asked_otherwise(tmp_path: Path) -> None:
    own = "readings: {rps: 'sum(rate(hits_total[5m]))', users: sum(active_users)}\n"
    book = load(tmp_path, GOOD + own)
    asked = expressions(book.readings)
    assert asked["rps"] == "sum(rate(hits_total[5m]))"
    assert asked["users"] == "sum(active_users)"
    assert asked["cpu"] == METRICS["cpu"].expression
    assert "instances" not in asked
    assert (unit_of("rps"), unit_of("users")) == ("req/s", "")


def test_what_is_measured_does_not_change_what_is_decided(tmp_path: Path) -> None:
    plain = load(tmp_path, GOOD).hash
    assert load(tmp_path, GOOD + "readings: {users: sum(active_users)}\n").hash == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("readings: [rps]", "readings must be a mapping of metrics"),
        ("readings: {dollars: x}", "dollars is told by the vendors"),
        ("readings: {Rps: x}", "'Rps' is no name of a metric"),
        ("readings: {rps: 7}", "rps needs an expression"),
        ("readings: {rps: ' '}", "rps needs an expression"),
    ],
)
def test_a_wrong_reading_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (sentence,) = told(tmp_path, f"{GOOD}{text}\n")
    assert sentence.startswith("1.yml:9: ")
    assert said in sentence


def test_two_files_may_not_ask_different_things_for_one_metric(tmp_path: Path) -> None:
    one, two = "readings: {users: a}\n", "readings: {users: b}\n"
    assert load(tmp_path, GOOD + one, one).readings == {"users": "a"}
    (sentence,) = told(tmp_path, GOOD + one, two)
    assert sentence == "2.yml:1: another file asks something else for users."
