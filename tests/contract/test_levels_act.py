"""Levels that act, on a simulated clock: real stores and the real engine, the vendors in memory."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.cache.strategies import DEFAULTS, NAMES, fields_of
from service.catalogue.cache.target import SETTINGS
from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.controls import HOLD, PAUSE
from service.domain.decisions.policy import Policy
from service.domain.errors import FailureKind
from service.domain.levels.applied import Applied
from service.domain.levels.levels import (
    CALENDAR,
    GROWTH,
    SCHEDULE,
    Bounds,
    Level,
    Levels,
    Statement,
)
from service.domain.levels.resolve import standing
from service.domain.levels.told import levels_told
from service.domain.rules.rules import RuleBook
from service.domain.windows import Window
from service.engine.levels import AGAIN_S, ASK_EVERY_S, DRIFT_S, LevelRound
from service.ports.levels import BOOK_SILENT_S
from service.store.levels import acted
from service.triggers.people.asked import Scope
from tests.contract.test_crashes_and_people import CHANGING, TakenUp, both_ways, boundaries
from tests.contract.test_crashes_of_projects import COPIED
from tests.contract.test_crashes_on_a_cache import CACHE
from tests.databases import Databases, SqliteFiles
from tests.fakes.alerts import CPU, alert, delivery, resolved, rule_book
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.properties.installation import OLGA, Installation, opened

NEW_YORK = "America/New_York"
REPLICAS = ("api", "replicas")
LIMIT = 20
WEEKDAYS = Window(days=(0, 1, 2, 3, 4), start=7 * 60, end=22 * 60, zone=NEW_YORK)
OFFICE = Level(
    "office-hours",
    SCHEDULE,
    (WEEKDAYS,),
    MappingProxyType({REPLICAS: Statement(aim=3)}),
    MappingProxyType({REPLICAS: Statement(aim=2)}),
    "seasons.yml:3",
)
MINUTE, HOUR = 60.0, 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(NEW_YORK)).timestamp()


def always(name: str, kind: str = CALENDAR, **said: int) -> Level:
    return Level(name, kind, (Window(),), MappingProxyType({REPLICAS: Statement(**said)}))


def book(*levels: Level, rules_hash: str = "0123456789ab", **policy: Any) -> RuleBook:
    made = rule_book()
    api = AppTarget("api", "app-1", "api", 2, 10, limit=LIMIT)
    bounds = MappingProxyType({REPLICAS: Bounds(2, LIMIT)})
    return replace(
        made,
        hash=rules_hash,
        rules=tuple(replace(each, policy=Policy(**policy)) for each in made.rules),
        targets={"api": api},
        policy=Policy(**policy),
        levels=Levels(levels or (OFFICE,), bounds, NEW_YORK),
    )


class World:
    """One installation with workers that make their rounds; `rounds` is of the one that lives."""

    def __init__(self, engine: sa.Engine, now: str, *levels: Level, **changes: Any) -> None:
        self.installed = Installation(engine, book(*levels, **changes))
        self.installed.clock.now = at(now)
        self.start()

    def start(self) -> None:
        """A worker starts."""
        self.rounds = LevelRound(self.installed.parts)

    def round(self, times: int = 1) -> None:
        """The worker compares, and does all that there is to do."""
        for _ in range(times):
            self.installed.clock.now += ASK_EVERY_S
            self.rounds(True)
            self.installed.go_on()

    def go_to(self, when: str, every_s: float = 30 * MINUTE) -> None:
        """Time goes by, with a round now and then."""
        until = at(when)
        while self.installed.clock.now < until:
            self.installed.clock.now = min(until, self.installed.clock.now + every_s)
            self.round(2)

    @property
    def replicas(self) -> int:
        return int(self.installed.apps.values()["replicas"])

    @property
    def writes(self) -> int:
        return len(self.installed.apps.writes.effective)

    def runs(self) -> dict[str, str]:
        return dict(self.installed.rows("SELECT id, status FROM runs ORDER BY created_at"))

    def waits(self) -> str:
        return self.installed.parts.levels.rows()[REPLICAS].waits

    def titles(self) -> list[str]:
        return [each.title for each in self.installed.messenger.messages.values()]


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    """The same on SQLite alone, for what does not depend on the database."""
    with opened(SqliteFiles(tmp_path).fresh()) as engine:
        yield engine


def test_a_level_that_is_new_is_told_with_its_plan_one_round_before_it_acts(
    engine: sa.Engine,
) -> None:
    world = World(engine, "2026-09-02T09:00")
    world.round()
    assert (world.replicas, world.runs()) == (2, {})
    assert world.titles() == ["New in the rules: api: replicas 2 → 3"]
    world.round()
    assert (world.replicas, world.runs()) == (3, {"api.level.1": "succeeded"})
    assert world.titles()[1] == "Done: api: replicas 2 → 3"
    world.start()
    world.round(3)
    assert world.writes == 1, "a worker that starts again does nothing twice"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-10-30", "2026-11-03"),  # the clock goes back on Sunday
        ("2027-03-12", "2027-03-16"),  # the clock goes forward on Sunday
    ],
)
def test_on_simulated_days_the_instances_follow_the_hours_and_no_edge_is_missed(
    sqlite: sa.Engine, first: str, last: str
) -> None:
    world = World(sqlite, f"{first}T00:00")
    world.round(2)
    while world.installed.clock.now < at(f"{last}T12:00"):
        world.installed.clock.now += HOUR - world.installed.clock.now % HOUR
        world.round(2)
        now = world.installed.clock.now
        assert world.replicas == standing(world.installed.book.levels, REPLICAS, now).value
    # Up and down on Friday and Monday, and up on Tuesday.
    assert world.writes == 2 + 2 + 1


def test_a_worker_that_was_dead_over_seven_sets_the_state_of_now_once(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T05:00")
    world.round(2)
    world.installed.clock.now = at("2026-09-02T07:20")
    world.start()
    world.round(3)
    assert (world.replicas, world.writes) == (3, 1)

    world.installed.clock.now = at("2026-09-03T12:00")
    world.start()
    world.round(3)
    assert world.writes == 1, "what came and went over the night is not made up for"


def test_two_workers_ask_once(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T09:00")
    other = LevelRound(world.installed.parts)
    for each in (world.rounds, other) * 3:
        world.installed.clock.now += ASK_EVERY_S
        each(True)
    assert len(world.installed.waiting) == 1
    world.installed.go_on()
    assert (world.replicas, world.writes) == (3, 1)
    assert world.titles().count("New in the rules: api: replicas 2 → 3") == 1


def test_only_a_worker_with_the_rules_in_force_acts(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T09:00")
    world.round()
    old = world.rounds
    world.installed.book = book(always("exam", aim=5), rules_hash="ba9876543210")
    world.start()
    world.round(2)
    assert world.replicas == 5

    world.installed.book = book()
    for _ in range(3):
        world.installed.clock.now += AGAIN_S
        old(True)
    assert world.replicas == 5, "a worker with the rules of before does nothing"

    world.installed.clock.now += BOOK_SILENT_S
    for _ in range(2):
        world.installed.clock.now += AGAIN_S
        old(True)
        world.installed.go_on()
    assert world.replicas == 3, "once no other worker was seen for long, its rules are in force"


def test_what_alerts_have_added_stays_on_top_of_a_level(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T05:00")
    world.round()
    fire(world)
    assert world.replicas == 3
    world.installed.deliver(delivery(resolved(CPU), at=world.installed.clock.now))
    world.go_to("2026-09-02T08:00")
    assert world.replicas == 4, "the level adds its one to the one of the alert"
    (entry,) = world.installed.parts.ledger.entries()
    assert [each.run for each in entry.additions] == ["api.out.1"]
    world.go_to("2026-09-02T23:00")
    assert world.replicas == 3, "the level takes away only what it has added"
    (why,) = world.installed.rows("SELECT ask FROM runs WHERE id = 'api.level.2'")[0]
    assert "and alerts have added 1 to that" in why


def test_nothing_is_taken_away_while_an_alert_asks_for_more_and_a_quarter_of_an_hour_after(
    sqlite: sa.Engine,
) -> None:
    world = World(sqlite, "2026-09-02T21:00")
    world.round(2)
    assert world.replicas == 3
    fire(world)
    world.go_to("2026-09-02T22:30", every_s=5 * MINUTE)
    assert (world.replicas, world.waits()) == (
        4,
        "High CPU Usage fires and asks for more of api",
    )
    world.installed.deliver(delivery(resolved(CPU), at=world.installed.clock.now))
    world.go_to("2026-09-02T22:40", every_s=5 * MINUTE)
    assert "nothing is taken away until" in world.waits()
    world.go_to("2026-09-02T22:50", every_s=MINUTE)
    assert world.replicas == 3


def test_a_ceiling_below_what_there_is_lowers_it_by_a_quarter_at_once(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T09:00", always("summer", ceiling=5))
    world.installed.apps.set_count("api", 16)
    seen = [16]
    for _ in range(60):
        world.installed.clock.now += MINUTE
        world.round()
        seen += [world.replicas] if world.replicas != seen[-1] else []
    assert seen == [16, 12, 9, 7, 6, 5]


def test_a_level_goes_above_the_maximum_of_alerts_up_to_the_limit(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T09:00", always("finals", floor=LIMIT))
    world.round(2)
    assert world.replicas == LIMIT


@pytest.mark.parametrize("kind", [PAUSE, HOLD])
def test_what_a_person_holds_is_not_changed_and_what_waits_is_said(
    sqlite: sa.Engine, kind: str
) -> None:
    world = World(sqlite, "2026-09-02T20:00")
    world.round(2)
    world.installed.put(kind, Scope(target="api"), "4h")
    world.go_to("2026-09-02T23:00")
    assert (world.replicas, len(world.runs())) == (3, 1)
    assert "a person is at work" in world.waits()
    world.go_to("2026-09-03T00:30")
    assert (world.replicas, world.waits()) == (2, "")


def test_what_a_person_has_set_at_the_vendor_is_held_and_the_level_comes_back_after_it(
    sqlite: sa.Engine,
) -> None:
    """Also where the level found it as it wanted it, so that no run has ever set it."""
    world = World(sqlite, "2026-09-02T23:00")
    world.round(2)
    assert world.runs() == {}
    world.installed.apps.person_sets(instance_count=6)
    world.installed.clock.now += DRIFT_S
    world.go_to("2026-09-03T06:00")
    assert (world.replicas, world.runs()) == (6, {})
    assert "Held as a person has set it: api: replicas 2 → 6" in world.titles()
    world.go_to("2026-09-03T12:30")
    assert world.replicas == 3


def test_an_undo_holds_the_level_back_until_its_next_change(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T09:00")
    world.round(2)
    world.installed.people.undo(OLGA, "api.level.1", "not today")
    world.installed.go_on()
    assert world.replicas == 2
    told = levels_told(
        world.installed.book.levels,
        world.installed.book.hash,
        world.installed.clock.now,
        1,
        acted(engine),
    )
    applied = told["items"][0]["applied"]
    assert (applied["at"], applied["run"]) == (None, None)
    assert "a person has undone run api.level.1" in applied["waits"]
    world.go_to("2026-09-02T21:00")
    assert world.replicas == 2
    assert "a person has undone run api.level.1, so it waits until" in world.waits()
    world.go_to("2026-09-03T08:00")
    assert world.replicas == 3


def test_a_run_whose_level_is_over_before_it_begins_changes_nothing(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T21:59")
    for _ in range(2):
        world.installed.clock.now += ASK_EVERY_S
        world.rounds(True)
    world.installed.clock.now = at("2026-09-02T22:00")
    world.installed.go_on()
    assert (world.replicas, world.runs()) == (2, {"api.level.1": "held"})
    checks = world.installed.rows("SELECT checks FROM runs")[0][0]
    assert "something else holds for replicas" in checks


def test_a_run_whose_level_ends_before_its_first_write_changes_nothing(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T21:59")
    for _ in range(2):
        world.installed.clock.now += ASK_EVERY_S
        world.rounds(True)
    run = world.installed.begin()
    run.go_to("recorded:announce")
    world.installed.clock.now = at("2026-09-02T22:00")
    world.installed.go_on()
    assert (world.replicas, world.writes) == (2, 0)
    assert world.runs() == {"api.level.1": "held"}


def test_a_level_in_shadow_is_told_once_and_changes_nothing(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T09:00", mode="shadow")
    world.go_to("2026-09-02T12:00")
    assert (world.replicas, list(world.runs().values())) == (2, ["shadow"])
    assert "mode shadow changes nothing" in world.waits()


def test_what_was_only_told_in_shadow_is_done_once_the_rules_act(sqlite: sa.Engine) -> None:
    World(sqlite, "2026-09-02T09:00", mode="shadow").go_to("2026-09-02T10:00")
    acting = World(sqlite, "2026-09-02T10:10")
    acting.go_to("2026-09-02T12:00")
    assert acting.replicas == 3


def test_a_level_whose_run_was_cancelled_is_asked_for_again_once_something_else_has_held(
    sqlite: sa.Engine,
) -> None:
    world = World(sqlite, "2026-09-02T06:00")
    world.go_to("2026-09-02T06:50", every_s=5 * MINUTE)
    world.installed.clock.now = at("2026-09-02T07:01")
    world.rounds(True)
    world.installed.clock.now += ASK_EVERY_S
    world.rounds(True)
    (run,) = [each for each, status in world.runs().items() if status == "queued"]
    world.installed.people.cancel(OLGA, run, "not today")
    world.go_to("2026-09-02T21:00")
    assert (world.replicas, world.runs()[run]) == (2, "cancelled")
    world.go_to("2026-09-03T09:00")
    assert world.replicas == 3


def test_a_plan_of_a_level_that_waits_for_approval_lapses_once_the_level_is_over(
    engine: sa.Engine,
) -> None:
    world = World(engine, "2026-09-02T21:50", mode="approve")
    world.round(2)
    assert world.waits() == ""
    (asking,) = world.installed.approvals.waiting()
    assert asking.why == "level office-hours is in mode approve"
    world.installed.clock.now = at("2026-09-02T22:00")
    world.installed.rounds()
    assert world.installed.approvals.get(asking.id).state == "lapsed"  # type: ignore[union-attr]
    assert world.replicas == 2


def fire(world: World) -> None:
    """An alert asks for one more, and gets it."""
    world.installed.deliver(delivery(alert(CPU), at=world.installed.clock.now))
    world.installed.go_on()


# ---- How far an alert may go ----


def pages(world: World) -> list[str]:
    return [each.summary for each in world.installed.pager.open.values()]


def fire_again(world: World, times: int = 1) -> None:
    """The alert fires on, and its cooldown is over each time."""
    for _ in range(times):
        world.installed.clock.now += HOUR
        fire(world)


def test_an_alert_goes_up_to_the_ceiling_of_a_level_and_pages_there(engine: sa.Engine) -> None:
    world = World(engine, "2026-12-09T09:00", always("finals", floor=10, ceiling=12))
    world.round(2)
    assert world.replicas == 10, "the maximum of the target"
    fire_again(world)
    assert (world.replicas, pages(world)) == (11, [])
    (checks,) = world.installed.rows("SELECT checks FROM runs WHERE id = 'api.out.1'")[0]
    assert "alerts may bring replicas of api to 12, the ceiling of level finals" in checks
    fire_again(world, 2)
    assert world.replicas == 12
    (page,) = pages(world)
    assert "the ceiling of level finals" in page


def test_a_ceiling_below_the_maximum_bounds_alerts_too(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-07-08T09:00", always("summer", ceiling=3))
    world.round(2)
    fire_again(world, 2)
    assert world.replicas == 3
    (page,) = pages(world)
    assert "the ceiling of level summer" in page


@pytest.mark.parametrize("levels", [[always("exam", floor=10)], [always("exam", aim=10)]])
def test_without_a_ceiling_the_maximum_of_the_target_bounds_alerts(
    sqlite: sa.Engine, levels: list[Level]
) -> None:
    world = World(sqlite, "2026-12-09T09:00", *levels)
    world.round(2)
    fire_again(world)
    assert world.replicas == 10
    (page,) = pages(world)
    assert "level" not in page


def test_a_run_keeps_the_ceiling_that_held_when_it_began(engine: sa.Engine) -> None:
    world = World(engine, "2026-12-09T09:00", always("finals", floor=10, ceiling=12))
    world.round(2)
    world.installed.clock.now += HOUR
    world.installed.deliver(delivery(alert(CPU), at=world.installed.clock.now))
    first = world.installed.begin()
    first.go_to("recorded:prepare")
    first.die()
    world.installed.book = book(always("summer", ceiling=5), rules_hash="ba9876543210")
    world.installed.go_on()
    assert world.replicas == 11
    assert world.runs()["api.out.1"] == "succeeded"


def test_a_count_that_a_rule_names_ends_at_the_ceiling_and_pages_there(sqlite: sa.Engine) -> None:
    rules = book(always("summer", ceiling=5))
    options = checked_options("set_capacity", {"replicas": 8})
    named = replace(rules.rules[0], action="set_capacity", options=options)
    world = world_of(sqlite, replace(rules, rules=(named, *rules.rules[1:])))
    world.round(2)
    fire_again(world)
    assert (world.replicas, pages(world)) == (5, [])
    fire_again(world)
    (page,) = pages(world)
    assert "the ceiling of level summer" in page


def test_levels_of_rules_that_are_not_in_force_bound_no_alert(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-12-09T09:00", always("finals", floor=10, ceiling=12))
    world.round(2)
    world.installed.book = book(always("finals", floor=10, ceiling=12), rules_hash="ba9876543210")
    fire_again(world)
    assert world.replicas == 10


def test_a_worker_that_has_not_read_the_new_rules_yet_goes_on_with_its_ceiling(
    sqlite: sa.Engine,
) -> None:
    world = World(sqlite, "2026-12-09T09:00", always("summer", ceiling=3))
    world.round(2)
    fire_again(world)
    assert world.replicas == 3
    world.installed.clock.now += HOUR
    now = world.installed.clock.now
    world.installed.parts.levels.put_in_force("ba9876543210", now, starts=True)
    world.installed.deliver(delivery(alert(CPU), at=now))
    world.installed.go_on()
    assert world.replicas == 3, "the maximum of the target would be 10"


def test_rules_that_were_read_again_are_in_force_with_the_next_round(engine: sa.Engine) -> None:
    world = World(engine, "2026-09-02T09:00", always("calm", aim=2))
    world.round(2)
    assert world.replicas == 2
    world.installed.book = book(always("exam", aim=5), rules_hash="ba9876543210")
    world.round(2)
    assert world.replicas == 5, "the same worker, without a start"


# ---- Other values, other kinds ----


def with_bounds(target: Any, held: dict[str, Statement], **values: Bounds) -> RuleBook:
    """One level that always holds these attributes of one target."""
    attributes = {(target.name, name): each for name, each in held.items()}
    level = Level("exam", CALENDAR, (Window(),), MappingProxyType(attributes))
    bounds = MappingProxyType({(target.name, name): each for name, each in values.items()})
    made = replace(rule_book(), rules=(), targets={target.name: target})
    return replace(made, levels=Levels((level,), bounds, NEW_YORK))


def world_of(engine: sa.Engine, rules: RuleBook, ports: dict[str, object] | None = None) -> World:
    world = World.__new__(World)
    world.installed = Installation(engine, rules, ports)
    world.installed.clock.now = at("2026-09-02T09:00")
    world.start()
    return world


def test_a_count_and_a_size_are_one_deployment(sqlite: sa.Engine) -> None:
    sizes = ("professional-xs", "professional-m")
    api = AppTarget("api", "app-1", "api", 2, 10, sizes)
    held = {"replicas": Statement(aim=4), "size": Statement(aim="professional-m")}
    world = world_of(
        sqlite, with_bounds(api, held, replicas=Bounds(2, 10), size=Bounds(values=sizes))
    )
    world.round(4)
    assert world.installed.apps.values() == {"replicas": 4, "size": "professional-m"}
    assert world.writes == 1
    assert {name: each.applied_run for (_, name), each in known(world).items()} == {
        "replicas": "api.level.1",
        "size": "api.level.1",
    }


def test_where_the_vendor_counts_itself_a_floor_is_its_min_and_a_ceiling_its_max(
    sqlite: sa.Engine,
) -> None:
    sizes = ("professional-m", "professional-l")
    api = AppTarget("api", "app-1", "api", 2, 10, sizes)
    held = {"replicas": Statement(floor=4, ceiling=6)}
    world = world_of(sqlite, with_bounds(api, held, replicas=Bounds(2, 10)))
    spec = deepcopy(world.installed.apps.spec)
    del spec["services"][0]["instance_count"]
    spec["services"][0]["instance_size_slug"] = "professional-l"
    spec["services"][0]["autoscaling"] = {
        "min_instance_count": 2,
        "max_instance_count": 10,
        "metrics": {"cpu": {"percent": 70}},
    }
    world.installed.apps.deploy(spec, takes_s=0)
    seen = []
    for _ in range(40):
        world.installed.clock.now += MINUTE
        world.round()
        found = world.installed.apps.specified("api")["autoscaling"]
        bounds = (found["min_instance_count"], found["max_instance_count"])
        seen += [bounds] if bounds not in seen else []
    assert seen == [(2, 10), (4, 8), (4, 6)]


def test_a_level_sets_the_read_replicas_of_a_project(sqlite: sa.Engine) -> None:
    held = {"replicas": Statement(aim=2)}
    world = world_of(sqlite, with_bounds(COPIED, held, replicas=Bounds(0, 2)))
    world.installed.database.variant = "ci_small"
    world.round(3)
    assert world.runs() == {"database.level.1": "succeeded"}
    assert len(world.installed.database.copies) == 2


def test_a_level_sets_how_the_application_caches(sqlite: sa.Engine) -> None:
    cache = FakeCache(FakeClock(), {SETTINGS: fields_of("standard", DEFAULTS)})
    held = {"strategy": Statement(aim="aggressive")}
    rules = with_bounds(CACHE, held, strategy=Bounds(values=NAMES))
    world = world_of(sqlite, rules, {"cache": cache})
    cache.clock = world.installed.clock
    world.round(3)
    assert world.runs() == {"app-cache.level.1": "succeeded"}
    assert cache.keys[SETTINGS] == fields_of("aggressive", DEFAULTS)


def test_a_vendor_that_is_away_is_said_and_asked_again_a_minute_later(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T09:00")
    world.installed.apps.reads_fail = 10_000
    world.round()
    assert "api could not be looked at" in world.waits()
    world.installed.apps.reads_fail = 0
    asked = len(world.installed.apps.asked)
    world.round()
    assert len(world.installed.apps.asked) == asked, "it is not asked in each round"
    world.installed.clock.now += AGAIN_S
    world.round(3)
    assert (world.replicas, world.waits()) == (3, "")


def test_a_run_that_fails_is_tried_again_after_longer_and_longer(sqlite: sa.Engine) -> None:
    world = World(sqlite, "2026-09-02T07:00")
    refused = {number: vendor_error(FailureKind.PERMANENT) for number in range(50)}
    world.installed.apps.writes.before.update(refused)
    world.go_to("2026-09-02T12:00", every_s=5 * MINUTE)
    began = [
        row[0] for row in world.installed.rows("SELECT created_at FROM runs ORDER BY created_at")
    ]
    waited = [later - earlier for earlier, later in pairwise(began)]
    assert len(began) > 4
    assert waited == sorted(waited)
    assert waited[-1] >= HOUR
    assert "has failed, and it is tried again later" in world.waits()


# ---- Crashes ----


@both_ways
@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_a_run_of_a_level_that_dies_anywhere_changes_the_target_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    world = World(engine, "2026-09-02T09:00")
    for _ in range(2):
        world.installed.clock.now += ASK_EVERY_S
        world.rounds(True)
    first = world.installed.begin()
    first.go_to(boundary)
    taken_up(world.installed, first)
    world.start()
    world.installed.clock.now += DRIFT_S
    world.round(2)
    assert world.runs() == {"api.level.1": "succeeded"}
    assert (world.replicas, world.writes) == (3, 1)
    assert world.installed.witness.broken == []
    assert known(world)[REPLICAS].applied_run == "api.level.1"
    busy = world.installed.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL)
    assert busy == []


def known(world: World) -> dict[Any, Applied]:
    return dict(world.installed.parts.levels.rows())


# ---- Growth ----


def growth(*factors: float) -> tuple[Level, ...]:
    """A floor that rises each week from Wednesday, 2 September on."""
    days = ("2026-09-02", "2026-09-09", "2026-09-16")
    return tuple(
        Level(
            f"gradual.week-{week + 1}",
            GROWTH,
            (Window(first=days[week], last="2026-09-08" if not week else "9999-12-31"),),
            MappingProxyType({REPLICAS: Statement(factor=factor)}),
            grows="gradual from 2026-09-02",
        )
        for week, factor in enumerate(factors)
    )


def test_growth_is_of_what_there_was_at_its_start_without_what_alerts_had_added(
    engine: sa.Engine,
) -> None:
    """The floor of a later week is no factor of what the week before has made."""
    world = World(engine, "2026-09-02T09:00", *growth(1.5, 2.0))
    fire(world)
    assert world.replicas == 3
    world.go_to("2026-09-02T11:00")
    assert world.replicas == 4, "1.5 times the 2 at the start, and 1 by the alert"
    assert "New in the rules: api: replicas 3 → 4" in world.titles()
    world.installed.clock.now = at("2026-09-09T09:00")
    world.start()
    world.round(3)
    assert world.replicas == 5
    assert dict(world.installed.parts.levels.baselines()) == {
        ("gradual from 2026-09-02", *REPLICAS): 2
    }


def test_the_weeks_of_a_growth_add_a_replica_and_make_the_database_larger(
    engine: sa.Engine,
) -> None:
    """Both are of what there was at the start, and a larger database stays as it is."""
    said = {("database", "replicas"): Statement(more=1)}, {("database", "size"): Statement(more=1)}
    days = ("2026-09-02", "2026-09-08"), ("2026-09-09", "9999-12-31")
    weeks = tuple(
        Level(
            f"gradual.week-{number + 1}",
            GROWTH,
            (Window(first=days[number][0], last=days[number][1]),),
            MappingProxyType({**said[0], **(said[1] if number else {})}),
            grows="gradual from 2026-09-02",
        )
        for number in range(2)
    )
    target = replace(COPIED, sizes=("ci_small", "ci_medium", "ci_large"))
    made = replace(rule_book(), rules=(), targets={"database": target})
    bounds = {
        ("database", "replicas"): Bounds(0, 2),
        ("database", "size"): Bounds(values=target.sizes, ladder=True),
    }
    rules = replace(made, levels=Levels(weeks, MappingProxyType(bounds), NEW_YORK))
    world = world_of(engine, rules)
    database = world.installed.database
    database.variant = "ci_small"
    world.round(3)
    assert (len(database.copies), database.variant) == (1, "ci_small")
    assert dict(world.installed.parts.levels.baselines()) == {
        ("gradual from 2026-09-02", "database", "replicas"): 0,
        ("gradual from 2026-09-02", "database", "size"): "ci_small",
    }
    world.installed.clock.now = at("2026-09-09T09:00")
    world.start()
    world.round(3)
    assert (len(database.copies), database.variant) == (1, "ci_medium")
    actions = world.installed.rows("SELECT action, status FROM runs ORDER BY created_at")
    assert [tuple(each) for each in actions] == [
        ("set_replicas", "succeeded"),
        ("scale_database", "succeeded"),
    ]
    database.variant = "ci_large"
    world.installed.clock.now += DRIFT_S
    world.round(3)
    assert (len(world.runs()), database.variant) == (2, "ci_large")


def test_a_size_that_is_none_of_the_ladder_is_left_and_what_waits_is_said(
    sqlite: sa.Engine,
) -> None:
    level = Level(
        "gradual.week-1",
        GROWTH,
        (Window(),),
        MappingProxyType({("database", "size"): Statement(aim="ci_small")}),
        grows="gradual from 2026-09-02",
    )
    made = replace(rule_book(), rules=(), targets={"database": COPIED})
    bounds = {("database", "size"): Bounds(values=COPIED.sizes, ladder=True)}
    rules = replace(made, levels=Levels((level,), MappingProxyType(bounds), NEW_YORK))
    world = world_of(sqlite, rules)
    world.installed.database.variant = "ci_2xlarge"
    world.round(2)
    assert world.runs() == {}
    waits = world.installed.parts.levels.rows()["database", "size"].waits
    assert "database has size ci_2xlarge, which is none of its sizes" in waits
