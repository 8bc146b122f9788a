"""When a window of the calendar is open, on the wall clock of its zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.windows import (
    Window,
    WindowError,
    check_zone,
    read_clock,
    read_dates,
    read_days,
)

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


FRIDAY_EVENING = Window(days=(4,), start=16 * 60, end=24 * 60, zone=BERLIN)
NIGHT = Window(days=(4,), start=22 * 60, end=6 * 60)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-27T15:59", False),
        ("2026-11-27T16:00", True),
        ("2026-11-27T23:59", True),
        ("2026-11-28T00:00", False),
        ("2026-11-26T17:00", False),
    ],
)
def test_a_window_begins_at_its_start_and_excludes_its_end(moment: str, open_: bool) -> None:
    assert FRIDAY_EVENING.open_at(at(moment, BERLIN)) is open_


def test_a_window_is_read_on_the_clock_of_its_zone() -> None:
    assert FRIDAY_EVENING.open_at(at("2026-11-27T15:00", "UTC"))
    assert not FRIDAY_EVENING.open_at(at("2026-11-27T14:59", "UTC"))


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-27T22:00", True),
        ("2026-11-28T05:59", True),
        ("2026-11-28T06:00", False),
        ("2026-11-27T05:00", False),
        ("2026-11-28T22:00", False),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_on_which_it_began(
    moment: str, open_: bool
) -> None:
    assert NIGHT.open_at(at(moment)) is open_


def test_it_closes_at_its_end_and_opens_next_week() -> None:
    inside = at("2026-11-27T17:30", BERLIN)
    closed = at("2026-11-28T00:00", BERLIN)
    assert FRIDAY_EVENING.closes_after(inside) == closed
    assert FRIDAY_EVENING.closes_after(closed) == closed
    assert FRIDAY_EVENING.opens_after(closed) == at("2026-12-04T16:00", BERLIN)
    assert FRIDAY_EVENING.opens_after(inside) == inside


def test_days_that_follow_one_another_close_at_the_end_of_the_last() -> None:
    weekdays = Window(days=(0, 1, 2, 3, 4))
    assert weekdays.closes_after(at("2026-11-24T12:00")) == at("2026-11-28T00:00")


def test_dates_without_a_year_hold_each_year_also_over_its_turn() -> None:
    holidays = Window(first="12-20", last="01-03")
    assert holidays.open_at(at("2026-12-31T12:00"))
    assert holidays.open_at(at("2027-01-03T23:00"))
    assert not holidays.open_at(at("2027-01-04T00:00"))
    assert holidays.opens_after(at("2027-06-01T00:00")) == at("2027-12-20T00:00")


def test_dates_of_one_year_never_open_again() -> None:
    launch = Window(first="2026-12-01", last="2026-12-02")
    assert launch.open_at(at("2026-12-02T23:59"))
    assert launch.opens_after(at("2026-12-03T00:00")) is None


def test_a_date_that_falls_on_no_such_day_of_a_leap_year_opens_years_later() -> None:
    leap_sunday = Window(days=(6,), first="02-29", last="02-29")
    assert leap_sunday.opens_after(at("2026-01-01T00:00")) == at("2032-02-29T00:00")


def test_a_start_that_the_clock_skips_opens_as_the_clock_has_jumped() -> None:
    """New York, 8 March 2026: 02:00 becomes 03:00."""
    skipped = Window(days=(6,), start=150, end=300, zone=NEW_YORK)
    assert skipped.opens_after(at("2026-03-08T00:00", NEW_YORK)) == at("2026-03-08T03:00", NEW_YORK)


def test_a_zone_that_skips_half_an_hour_is_read_right() -> None:
    """Lord Howe, 4 October 2026: 02:00 becomes 02:30."""
    zone = "Australia/Lord_Howe"
    skipped = Window(days=(6,), start=135, end=240, zone=zone)
    assert skipped.opens_after(at("2026-10-04T00:00", zone)) == at("2026-10-04T02:30", zone)


@given(
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda each: tuple(sorted(each))),
    start=st.integers(0, 1439),
    end=st.integers(1, 1440),
    zone=st.sampled_from(["UTC", BERLIN, NEW_YORK, "Asia/Kathmandu"]),
    now=st.floats(1.7e9, 1.9e9),
)
def test_it_is_open_until_it_closes_and_shut_until_it_opens(
    days: tuple[int, ...], start: int, end: int, zone: str, now: float
) -> None:
    window = Window(days=days, start=start, end=end, zone=zone)
    closes, opens = window.closes_after(now), window.opens_after(now)
    assert window.open_at(now) is (opens == now)
    assert opens is not None
    assert window.open_at(opens)
    if window.open_at(now) and closes < now + 400 * 86_400:
        assert not window.open_at(closes)
        assert window.open_at((now + closes) / 2) or (closes - now) > 86_400
    assert Window.from_json(window.to_json()) == window


DATES = ["01-01", "01-03", "02-28", "02-29", "03-01", "03-08", "11-01", "12-20", "12-31"]
DAYS_OF_YEARS = ["2024-02-29", "2026-03-08", "2026-11-01", "2027-01-05", "2028-02-29"]
HOURS = st.sampled_from([(0, 1440), (420, 1320), (1320, 420), (150, 90)])


@settings(max_examples=25, deadline=None)
@given(
    days=st.sampled_from([tuple(range(7)), (0, 1, 2, 3, 4), (6,)]),
    hours=HOURS,
    dates=st.one_of(
        st.tuples(st.sampled_from(DATES), st.sampled_from(DATES)),
        st.tuples(st.sampled_from(DAYS_OF_YEARS), st.sampled_from(DAYS_OF_YEARS)).map(
            lambda each: (min(each), max(each))
        ),
    ),
    zone=st.sampled_from(["UTC", BERLIN, NEW_YORK]),
    day=st.integers(0, 3 * 365),
)
def test_a_window_with_dates_turns_when_a_look_at_each_half_hour_says_so(
    days: tuple[int, ...], hours: tuple[int, int], dates: tuple[str, str], zone: str, day: int
) -> None:
    """What skips the days outside the dates finds the same as a look at each half hour."""
    now = at("2026-01-01T00:00") + day * 86_400
    window = Window(days, *hours, *dates, zone)
    looks = (now + step * 1_800 for step in range(400 * 48))
    is_open = window.open_at(now)
    turn = next((each for each in looks if window.open_at(each) != is_open), None)
    found = window.closes_after(now) if is_open else window.opens_after(now)
    if turn is None:
        assert found is None or found > now + 399 * 86_400
    else:
        assert found == turn


def test_days_are_read_as_lists_and_ranges_also_over_the_weekend() -> None:
    assert read_days("mon-fri") == (0, 1, 2, 3, 4)
    assert read_days("fri, sat") == (4, 5)
    assert read_days("sat-mon") == (0, 5, 6)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: read_days("freitag"), "'freitag' is no weekday"),
        (lambda: read_days(","), "days names no day"),
        (lambda: read_clock("24:00"), "'24:00' is no time of the day"),
        (lambda: read_clock("7:00"), "'7:00' is no time of the day"),
        (lambda: read_dates("02-30"), "'02-30' is no date of the calendar"),
        (lambda: read_dates("2026-12-02..2026-12-01"), "ends before it begins"),
        (lambda: read_dates("2026-12-02..12-03"), "mixes a date of one year"),
        (lambda: read_dates("September"), "'September' is no date"),
        (lambda: check_zone("Europe/Berlim"), "'Europe/Berlim' is no time zone"),
        (lambda: check_zone("../etc/passwd"), "is no time zone"),
    ],
)
def test_what_is_no_window_is_refused_with_what_to_write(read: object, said: str) -> None:
    assert callable(read)
    with pytest.raises(WindowError, match=said.replace("/", "/")):
        read()


def test_the_end_of_a_day_may_be_written_as_24_00() -> None:
    assert read_clock("24:00", end=True) == 1440
