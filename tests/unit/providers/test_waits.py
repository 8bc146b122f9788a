from __future__ import annotations

import pytest

from service.providers.waits import Timeouts, retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"ratelimit-reset": "1700000060"}, 60),
        ({"ratelimit-reset": "1600000000"}, 0),
        ({"X-RateLimit-Reset": "41"}, 41),
        ({"X-RateLimit-Reset": "later"}, None),
        ({"X-RateLimit-Reset": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ({"Retry-After": "7", "X-RateLimit-Reset": "41"}, 7),
    ],
)
def test_the_wait_is_what_the_vendor_says(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


def test_a_call_is_bounded_by_ten_seconds() -> None:
    assert Timeouts().total <= 10


def test_a_limits_reset_asks_for_nothing_where_no_limit_was_hit() -> None:
    assert retry_after({"ratelimit-reset": str(NOW + 1800)}, 503, now=NOW) is None
    assert retry_after({"retry-after": "7", "ratelimit-reset": "9"}, 503, now=NOW) == 7
