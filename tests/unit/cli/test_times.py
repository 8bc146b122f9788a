from __future__ import annotations

import time
from datetime import timedelta

import pytest
import typer

from service.cli.check import duration
from service.cli.times import clock, parse_moment, took


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1767225600", 1767225600.0),
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("2026-01-01", 1767225600.0),
    ],
)
def test_a_moment_is_iso_8601_or_seconds(text: str, seconds: float) -> None:
    assert parse_moment(text) == seconds


def test_a_moment_may_be_a_time_ago() -> None:
    assert parse_moment("1h30m") == pytest.approx(time.time() - 5400, abs=5)


def test_no_moment_is_none() -> None:
    assert parse_moment(None) is None


def test_what_is_no_moment_is_a_usage_error() -> None:
    with pytest.raises(typer.BadParameter, match="yesterday"):
        parse_moment("yesterday")


@pytest.mark.parametrize(
    ("began", "ended", "said"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.730000Z", "1.7 s"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:02:05.400000Z", "2 min 5 s"),
        ("2026-01-01T00:00:00Z", None, ""),
        (None, None, ""),
    ],
)
def test_how_long_it_took(began: str | None, ended: str | None, said: str) -> None:
    assert took(began, ended) == said


def test_a_stored_moment_is_shown_to_the_second() -> None:
    assert clock("2026-01-01T00:00:00.123456Z") == "2026-01-01 00:00:00Z"
    assert clock(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(minutes=10), "10m"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(days=1, seconds=5), "1d5s"),
        (timedelta(), "0s"),
    ],
)
def test_a_duration_is_shown_as_rules_write_it(value: timedelta, text: str) -> None:
    assert duration(value) == text
