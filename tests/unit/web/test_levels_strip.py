"""A year of a level as a strip: each day once, and of each day the most that holds on it."""

from __future__ import annotations

from typing import Any

from service.web.console.levels import HEIGHT, LEAST, YEAR_DAYS, strip

NOW = "2026-11-28T12:00:00+00:00"


def holds(value: int | str | None, least: int | None = None) -> dict[str, Any]:
    words = str(value) if value is not None else f"as it is, {least} to 10"
    return {"value": value, "least": least, "holds": words}


def item(now: dict[str, Any], *changes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {**now, "changes": [{"at": at, **then} for at, then in changes]}


def shown(of: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(each.first, each.days, each.holds) for each in strip(of, NOW)]


def test_what_never_changes_is_one_bar_of_a_year() -> None:
    assert shown(item(holds(2))) == [("2026-11-28", YEAR_DAYS, "2")]


def test_a_change_begins_on_its_day_and_midnight_belongs_to_the_day_that_it_begins() -> None:
    year = item(
        holds(2),
        ("2026-12-01T00:00:00+00:00", holds(5)),
        ("2026-12-11T00:00:00+00:00", holds(2)),
    )
    assert shown(year) == [
        ("2026-11-28", 3, "2"),
        ("2026-12-01", 10, "5"),
        ("2026-12-11", 352, "2"),
    ]


def test_of_a_day_the_largest_is_drawn_so_that_nights_do_not_cut_it_up() -> None:
    nights = [
        ("2026-11-28T18:00:00+00:00", holds(2)),
        ("2026-11-29T07:00:00+00:00", holds(3)),
        ("2026-11-29T18:00:00+00:00", holds(2)),
        ("2026-11-30T07:00:00+00:00", holds(3)),
    ]
    assert shown(item(holds(3), *nights)) == [("2026-11-28", YEAR_DAYS, "3")]


def test_the_most_is_as_high_as_the_strip_and_a_floor_counts_where_nothing_is_aimed_at() -> None:
    year = item(holds(None, 2), ("2026-12-01T00:00:00+00:00", holds(None, 6)))
    assert [each.height for each in strip(year, NOW)] == [LEAST, HEIGHT]


def test_sizes_are_words_of_one_height() -> None:
    year = item(holds("s-1vcpu"), ("2026-12-01T00:00:00+00:00", holds("s-2vcpu")))
    assert [(each.holds, each.height) for each in strip(year, NOW)] == [
        ("s-1vcpu", HEIGHT),
        ("s-2vcpu", HEIGHT),
    ]
