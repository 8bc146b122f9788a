"""From what should hold to what has to be done, in tables; and what of it is still wanted."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.capacity.ledger import Addition, Entry, Made, after_run
from service.domain.levels.acting import (
    Goal,
    Undone,
    added_by_alerts,
    digest,
    direction_of,
    goal_of,
    leader,
    rest_s,
    says,
    until,
)
from service.domain.levels.applied import Applied
from service.domain.levels.levels import CALENDAR, SCHEDULE, Level, Statement
from service.domain.levels.resolve import InForce, Part, Standing, standing
from service.domain.windows import Window
from tests.unit.levels.test_levels import API, NEW_YORK, at, level, levels_of

LADDER = ("small", "medium", "large")
NOON, EVENING = at("2026-09-02T12:00"), at("2026-09-02T22:00")
OFFICE = Window(days=(0, 1, 2, 3, 4), start=7 * 60, end=22 * 60, zone=NEW_YORK)


def counted(value: int | None, least: int = 2, most: int = 20) -> Standing:
    return Standing(value, least, most)


@pytest.mark.parametrize(
    ("holds", "present", "added", "goal"),
    [
        pytest.param(counted(3), 2, 0, Goal(3, 3), id="up to the aim"),
        pytest.param(counted(3), 5, 0, Goal(3, 3), id="down to the aim"),
        pytest.param(counted(3), 6, 2, Goal(5, 3), id="what alerts added stays on top"),
        pytest.param(counted(3), 3, 1, Goal(4, 3), id="an addition below the aim lies on top too"),
        pytest.param(counted(None, 5), 2, 0, Goal(5, 5), id="up to the floor"),
        pytest.param(counted(None, 2, 10), 7, 0, Goal(7, 7), id="without an aim it stays"),
        pytest.param(counted(None, 2, 5), 16, 0, Goal(12, 12), id="a quarter at once"),
        pytest.param(counted(None, 2, 5), 6, 0, Goal(5, 5), id="no further than the ceiling"),
        pytest.param(counted(3, 2, 5), 16, 0, Goal(12, 12), id="an aim below it waits for it"),
        pytest.param(counted(None, 2, 2), 3, 0, Goal(2, 2), id="at least one at once"),
        pytest.param(counted(None, 5, 6), 5, 3, Goal(6, 5), id="no rise past the ceiling"),
        pytest.param(counted(None, 2, 5), 8, 4, Goal(8, 4), id="additions above it are not its"),
    ],
)
def test_where_a_count_goes(holds: Standing, present: int, added: int, goal: Goal) -> None:
    assert goal_of(holds, present, added, ()) == goal


@pytest.mark.parametrize(
    ("aim", "present", "added", "value"),
    [
        ("medium", "small", 0, "medium"),
        ("medium", "large", 0, "medium"),
        ("medium", "large", 1, "large"),
        ("large", "medium", 1, "large"),
        (None, "small", 0, "small"),
    ],
)
def test_where_a_size_goes_and_that_alerts_keep_a_larger_one(
    aim: str | None, present: str, added: int, value: str
) -> None:
    assert goal_of(Standing(aim, None, None), present, added, LADDER).value == value


@given(
    st.integers(0, 30), st.integers(0, 10), st.integers(1, 10), st.integers(0, 10), st.booleans()
)
def test_step_by_step_it_comes_to_rest_between_floor_and_ceiling_with_the_additions_on_top(
    own: int, added: int, least: int, room: int, aims: bool
) -> None:
    holds = counted(least if aims else None, least, least + room)
    present, seen = own + added, 0
    while (goal := goal_of(holds, present, added, ())).value != present:
        if isinstance(goal.value, int) and goal.value > present:
            # A rise that ends at the ceiling takes some of the additions as its own.
            added = min(added, goal.value - int(goal.base))
        present, seen = int(goal.value), seen + 1
        assert seen < 30
    assert present - added <= least + room
    assert present >= least


def entry(value: int | str, *steps: tuple[Any, Any]) -> Entry:
    additions = tuple(Addition(f"r-{n}", "cpu", *pair, at=1.0) for n, pair in enumerate(steps))
    return Entry("api", "replicas", value, 1.0, additions)


def test_what_alerts_added_counts_only_while_the_ledger_knows_the_value() -> None:
    known = entry(4, (2, 3), (3, 4))
    assert added_by_alerts(known, 4) == 2
    assert added_by_alerts(known, 6) == 0
    assert added_by_alerts(None, 6) == 0
    assert added_by_alerts(entry("large", ("small", "medium"), ("medium", "large")), "large") == 2


@pytest.mark.parametrize(
    ("base", "after", "left"),
    [(3, 5, [(2, 3), (3, 4)]), (3, 4, [(3, 4)]), (4, 4, []), (1, 3, [(2, 3), (3, 4)])],
)
def test_a_run_of_a_level_leaves_of_the_additions_what_lies_above_its_base(
    base: int, after: int, left: list[tuple[int, int]]
) -> None:
    made = Made("api", "replicas", 4, after, 9.0, "api.level.1", "exam", base=base)
    kept = after_run(entry(4, (2, 3), (3, 4)), made)
    assert [(each.before, each.after) for each in kept.additions] == left
    assert kept.value == after


@pytest.mark.parametrize(
    ("moves", "way"),
    [
        ({"replicas": (2, 3)}, "out"),
        ({"replicas": (3, 2)}, "in"),
        ({"size": ("small", "large")}, "up"),
        ({"size": ("large", "small")}, "down"),
        ({"replicas": (2, 3), "size": ("large", "small")}, "set"),
        ({"strategy": ("standard", "aggressive")}, "set"),
    ],
)
def test_which_way_a_change_goes(moves: dict[str, tuple[Any, Any]], way: str) -> None:
    assert direction_of(moves, LADDER) == way


def by(name: str) -> InForce:
    return InForce(level(name, CALENDAR, Window(), aim=1), Statement())


@pytest.mark.parametrize(
    ("base", "present", "name"), [(5, 3, "september"), (10, 12, "summer"), (3, 2, "office")]
)
def test_the_level_that_decides_the_value_is_named(base: int, present: int, name: str) -> None:
    parts = (
        Part("aim", 3, by("office")),
        Part("floor", 5, by("september")),
        Part("ceiling", 10, by("summer")),
    )
    found = leader(Standing(base, 5, 10, parts), base, present)
    assert found is not None
    assert found.level.name == name
    assert leader(Standing(None, 2, 20, (Part("floor", 2),)), 2, 1) is None


def test_what_holds_is_known_until_the_next_change_of_it() -> None:
    hours = Level(
        "office",
        SCHEDULE,
        (OFFICE,),
        MappingProxyType({API: Statement(aim=3)}),
        MappingProxyType({API: Statement(aim=2)}),
    )
    assert until(levels_of(hours), API, NOON) == EVENING
    never = until(levels_of(level("always", CALENDAR, Window(), aim=3)), API, NOON)
    assert never > NOON + 365 * 86_400


def test_a_level_says_something_else_once_its_values_or_its_windows_do() -> None:
    one = level("exam", CALENDAR, OFFICE, aim=3)
    assert digest(one) == digest(replace(one, written="other.yml:9"))
    others = [
        level("exam", CALENDAR, OFFICE, aim=4),
        level("exam", SCHEDULE, OFFICE, aim=3),
        level("exam", CALENDAR, Window(), aim=3),
    ]
    assert len({digest(each) for each in (one, *others)}) == 4


def test_what_is_asked_for_in_vain_waits_longer_each_time_up_to_an_hour() -> None:
    assert [rest_s(tries) for tries in (1, 2, 3, 4, 5, 100)] == [300, 600, 1200, 2400, 3600, 3600]


SAID = says(standing(levels_of(level("exam", CALENDAR, Window(), aim=3)), API, NOON))


@pytest.mark.parametrize(
    ("known", "why_not"),
    [
        (Applied(), ""),
        (Applied(run="r", status="running"), "run r is under way"),
        (Applied(SAID, "r", 1, "waiting"), "run r waits for approval"),
        (Applied("something else", "r", 1, "waiting"), ""),
        (Applied(SAID, "r", 1, "cancelled"), "a person has cancelled run r"),
        (Applied(SAID, "r", 1, "held", NOON - 299), "run r was held"),
        (Applied(SAID, "r", 1, "held", NOON - 300), ""),
        (Applied(SAID, "r", 2, "failed", NOON - 599), "run r has failed"),
        (Applied(SAID, "r", 1, "succeeded", NOON - 1), ""),
        (Applied(undone=Undone("r", SAID, NOON + 1)), "a person has undone run r"),
        (Applied(undone=Undone("r", SAID, NOON)), ""),
        (Applied(undone=Undone("r", "something else", NOON + 1)), ""),
    ],
)
def test_why_what_holds_is_not_asked_for_now(known: Applied, why_not: str) -> None:
    said = known.why_not(SAID, NOON)
    assert said.startswith(why_not)
    assert bool(said) == bool(why_not)
