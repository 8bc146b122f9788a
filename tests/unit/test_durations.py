"""How long and when, as people read them."""

from __future__ import annotations

import pytest

from service.domain.durations import lasted, moment

NOW = 1_780_000_000.0
"""2026-05-28 20:26:40 UTC."""
_DAY_S = 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (_DAY_S, "1 day"),
        (3 * _DAY_S + 4 * 3_600, "3 days 4 h"),
    ],
)
def test_a_length_of_time_reads_like_one(seconds: float, text: str) -> None:
    assert lasted(seconds) == text


@pytest.mark.parametrize(
    ("away_s", "text"),
    [
        (0, "now, at 20:26 UTC"),
        (30, "in 30 s, at 20:27 UTC"),
        (59.7, "in 1 min, at 20:27 UTC"),
        (540, "in 9 min, at 20:35 UTC"),
        (-540, "9 min ago, at 20:17 UTC"),
        (3_599, "in 1 h, at 21:26 UTC"),
        (7_500, "in 2 h 5 min, at 22:31 UTC"),
        (4 * 3_600, "in 4 h, on 2026-05-29 at 00:26 UTC"),
        (-3 * _DAY_S - 4 * 3_600, "3 days 4 h ago, on 2026-05-25 at 16:26 UTC"),
    ],
)
def test_a_moment_is_told_from_here_and_by_the_clock_with_the_date_on_another_day(
    away_s: float, text: str
) -> None:
    assert moment(NOW + away_s, NOW) == text
