"""The headers for browsers and the CDN, by the life that an entry has left."""

from __future__ import annotations

import pytest

from service.caching import Key, Life
from service.caching.keys import LONGEST_TAG, MOST_TAGS
from tests.fakes.caching import Source, World

LIFE = Life(fresh_s=100, stale_s=50, error_s=500)
SHARED, PERSONAL = Key.shared("question", 42), Key.personal(7, "progress")


@pytest.mark.parametrize(
    ("after_s", "cache_control", "cdn"),
    [
        (0.0, "public, max-age=10", "max-age=100, stale-while-revalidate=50, stale-if-error=550"),
        (94.5, "public, max-age=5", "max-age=5, stale-while-revalidate=50, stale-if-error=550"),
        (120.0, "public, max-age=0", "max-age=0, stale-while-revalidate=30, stale-if-error=530"),
        (160.0, "public, max-age=0", "max-age=0, stale-while-revalidate=0, stale-if-error=490"),
        (649.5, "private, no-store", "no-store"),
    ],
)
def test_a_response_lives_as_long_as_its_entry_has_left(
    after_s: float, cache_control: str, cdn: str
) -> None:
    world = World()
    cached = world.cache.fetch(SHARED, Source(), LIFE, ("Questions",))
    world.clock.pass_(after_s)
    headers = world.cache.headers(SHARED, cached, ("Questions",), browser_s=10)
    assert headers["Cache-Control"] == cache_control
    assert headers["CDN-Cache-Control"] == cdn
    if cdn != "no-store":
        assert headers["Cache-Tag"] == f"quiz,quiz:{SHARED.tag},quiz:questions"


def test_a_response_for_one_person_is_stored_nowhere() -> None:
    world = World()
    cached = world.cache.fetch(PERSONAL, Source(), LIFE)
    headers = world.cache.headers(PERSONAL, cached, browser_s=10)
    assert headers == {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}


def test_the_tags_of_an_entry_fit_into_the_vendors_16_kilobytes() -> None:
    world = World()
    tags = [f"{at:0{LONGEST_TAG}d}" for at in range(MOST_TAGS)]
    cached = world.cache.fetch(SHARED, Source(), LIFE, tags)
    header = world.cache.headers(SHARED, cached, tags)["Cache-Tag"]
    assert header.count(",") == MOST_TAGS + 1
    assert len(header) < 16 * 1024
    assert header.isascii()
    assert header.isprintable()
    assert " " not in header
