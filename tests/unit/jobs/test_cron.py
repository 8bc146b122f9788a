from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from service.domain.jobs.cron import CronError, odd_times, read_cron

NEW_YORK = "America/New_York"
YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def _at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0 9 * * *", "There are no seconds here"),
        ("9 * * *", "has 4 of five fields"),
        ("@daily", "write 0 0 * * *"),
        ("h 9 * * *", "random field"),
        ("R(0-9) 9 * * *", "random field"),
        ("60 9 * * *", "minute: '60'"),
        ("0 24 * * *", "hour: '24'"),
        ("0 9 0 * *", "day of the month: '0'"),
        ("0 9 * 13 *", "month: '13'"),
        ("0 9 * * 8", "day of the week: '8'"),
        ("0 9 * * friday", "day of the week: 'friday'"),
        ("*/0 9 * * *", "a step above 0"),
        ("5/10 9 * * *", "needs a range"),
        ("0 17-9 * * *", "goes backwards"),
        ("0 9 30 2 *", "the calendar has no such day"),
        ("0 9 31 4,6,9,11 *", "the calendar has no such day"),
        ("0 9 L * *", "day of the month: 'l'"),
        ("0 9 * * 5#2", "day of the week: '5#2'"),
        ("", "has 0 of five fields"),
        ("٣ 9 * * *", "minute: '٣'"),
    ],
)
def test_what_is_no_five_field_expression_is_refused_with_what_to_write(
    text: str, said: str
) -> None:
    with pytest.raises(CronError) as refused:
        read_cron(text)
    assert said in str(refused.value)


@given(
    st.sampled_from(
        [
            "0 9 * * *",
            "*/15 * * * *",
            "30 3 * * sun",
            "0 9 1,15 * mon",
            "0 0 29 2 *",
            "5 0-23/6 * jan-mar 1-5",
            "17 4 31 * *",
            "0 12 * * 7",
        ]
    ),
    st.integers(0, 4 * 366 * 86_400),
)
def test_in_utc_the_times_are_those_of_an_independent_library(text: str, since: int) -> None:
    cron, now = read_cron(text), YEAR + since
    other = croniter(text, datetime.fromtimestamp(now, UTC))
    assert cron.following(now) == other.get_next(float)
    before = croniter(text, datetime.fromtimestamp(now + 1, UTC)).get_prev(float)
    assert cron.latest(now) == before


def test_a_time_that_the_clock_skips_comes_when_the_clock_is_changed() -> None:
    cron = read_cron("30 2 * * *", NEW_YORK)
    changed = _at("2026-03-08T03:00", NEW_YORK)
    assert cron.latest(changed + 60) == changed
    assert cron.following(changed) == _at("2026-03-09T02:30", NEW_YORK)


def test_a_time_that_the_clock_shows_twice_comes_once() -> None:
    cron = read_cron("30 1 * * *", NEW_YORK)
    first = _at("2026-11-01T01:30", NEW_YORK)
    assert cron.following(first - 60) == first
    assert cron.following(first) == _at("2026-11-02T01:30", NEW_YORK)


def test_a_schedule_of_every_hour_goes_by_real_time_over_both_changes() -> None:
    cron = read_cron("0 * * * *", NEW_YORK)
    for day in ("2026-03-08T00:00", "2026-11-01T00:00"):
        at = _at(day, NEW_YORK)
        for _ in range(6):
            following = cron.following(at)
            assert following == at + 3600
            at = following


def test_a_day_matches_by_the_month_or_by_the_week_where_both_are_named() -> None:
    cron = read_cron("0 9 14 * fri")
    assert [day for day in range(1, 31) if cron.on(date(2026, 11, day))] == [6, 13, 14, 20, 27]
    assert [day for day in range(1, 16) if cron.on(date(2026, 7, day))] == [3, 10, 14]


def test_odd_times_names_what_is_skipped_and_what_comes_twice() -> None:
    assert odd_times(read_cron("30 2 * * *", NEW_YORK)) == [("02:30", date(2026, 3, 8), "skipped")]
    assert odd_times(read_cron("15 1 * * *", NEW_YORK)) == [("01:15", date(2026, 11, 1), "twice")]
    assert odd_times(read_cron("*/5 * * * *", NEW_YORK)) == []
    assert odd_times(read_cron("30 2 * * *")) == []
    assert odd_times(read_cron("30 2 * * mon", NEW_YORK)) == []
