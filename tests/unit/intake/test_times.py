"""RFC 3339, no more and no less."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.intake.times import read_time


@pytest.mark.parametrize("digits", range(10))
def test_any_fraction_from_none_to_nine_digits_is_cut_to_microseconds(digits: int) -> None:
    fraction = "987654321"[:digits]
    moment = read_time(f"2026-02-03T04:05:06{'.' if digits else ''}{fraction}Z")
    assert moment == datetime(2026, 2, 3, 4, 5, 6, int(fraction[:6].ljust(6, "0")), UTC)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("2026-02-03T04:05:06Z", 4, 5),
        ("2026-02-03t04:05:06z", 4, 5),
        ("2026-02-03T04:05:06+00:00", 4, 5),
        ("2026-02-03T04:05:06-00:00", 4, 5),
        ("2026-02-03T09:50:06+05:45", 4, 5),
        ("2026-02-02T23:05:06-05:00", 4, 5),
        ("2026-02-04T04:04:06+23:59", 4, 5),
    ],
)
def test_any_offset_becomes_utc(text: str, hour: int, minute: int) -> None:
    moment = read_time(text)
    assert moment == datetime(2026, 2, 3, hour, minute, 6, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "0001-01-01T01:00:00+01:00"],
)
def test_the_zero_time_is_no_time(text: str) -> None:
    assert read_time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-02-03",
        "2026-02-03T04:05Z",
        "2026-02-03T04:05:06",
        "2026-02-03 04:05:06Z",
        "20260203T040506Z",
        "2026-W06-2T04:05:06Z",
        "2026-02-03T04:05:06,5Z",
        "2026-02-03T04:05:06.Z",
        "2026-02-03T04:05:06+01",
        "2026-02-03T04:05:06+24:00",
        "2026-02-03T04:05:06Z\n",
        " 2026-02-03T04:05:06Z",
        "2026-02-29T04:05:06Z",
        "2026-13-03T04:05:06Z",
        "2026-02-03T25:05:06Z",
        "2026-02-03T04:05:61Z",
        "٢٠٢٦-02-03T04:05:06Z",  # digits of another script
    ],
)
def test_what_is_not_an_rfc_3339_date_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_a_year_outside_1_to_9999_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_time(text)


def test_the_outermost_years_are_taken() -> None:
    assert read_time("9999-12-31T23:59:59.999999999Z") == datetime.max.replace(tzinfo=UTC)
    assert read_time("0001-01-01T00:00:01Z") == datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC)
