"""The record of levels, in SQL and in memory: the rules in force, what was asked and applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.decisions.requests import LEVEL, Held, Origin, Request, Wanted
from service.domain.levels.applied import Applied
from service.ports.levels import BOOK_SILENT_S, CHANGING_S, LevelRecord
from service.store.levels import LevelStore
from tests.fakes.alerts import NOW
from tests.fakes.levels import FakeLevels
from tests.fakes.runs import API, request_for

MINE, OTHERS = "0123456789ab", "ba9876543210"
REPLICAS = ("api", "replicas")
SAID, LATER = "3 (aim 3 by office-hours)", "2 (aim 2 by office-hours)"


def asked(run: str = "api.level.1", says: str = SAID) -> Request:
    return replace(
        request_for("set_capacity", API),
        id=run,
        origin=Origin(LEVEL, "office-hours", "it is nine"),
        rules_hash=MINE,
        wanted=(Wanted("replicas", to=3),),
        held=(Held("replicas", "replicas", 3, says, NOW + 600),),
    )


@pytest.fixture(params=["fake", "sql"])
def levels(request: pytest.FixtureRequest, engine: sa.Engine) -> LevelRecord:
    return FakeLevels() if request.param == "fake" else LevelStore(engine)


def ask(levels: LevelRecord, request: Request) -> None:
    """As the round does it, in the transaction that queues the run."""
    if isinstance(levels, LevelStore):
        with levels._engine.begin() as connection:
            levels.asked(connection, request, NOW)
    else:
        levels.asked(None, request, NOW)


def known(levels: LevelRecord) -> dict[str, Any]:
    row = levels.rows()[REPLICAS]
    return {name: getattr(row, name) for name in Applied.__dataclass_fields__}


def test_the_rules_of_the_worker_that_started_last_are_in_force(levels: LevelRecord) -> None:
    assert levels.in_force() == ""
    assert levels.put_in_force(MINE, NOW, starts=True)
    assert levels.put_in_force(OTHERS, NOW + 1, starts=True)
    assert not levels.put_in_force(MINE, NOW + 2, starts=False)
    assert levels.in_force() == OTHERS


def test_rules_bind_alerts_while_they_are_in_force_and_for_a_moment_after(
    levels: LevelRecord,
) -> None:
    assert not levels.binds(MINE, NOW)
    levels.put_in_force(MINE, NOW, starts=True)
    levels.put_in_force(MINE, NOW + 50, starts=False)
    assert levels.binds(MINE, NOW + 99)
    assert not levels.binds(OTHERS, NOW + 99)
    levels.put_in_force(OTHERS, NOW + 100, starts=True)
    assert levels.binds(OTHERS, NOW + 100)
    assert levels.binds(MINE, NOW + 100 + CHANGING_S - 1)
    assert not levels.binds(MINE, NOW + 100 + CHANGING_S)


def test_rules_that_no_worker_has_for_long_are_in_force_no_more(levels: LevelRecord) -> None:
    levels.put_in_force(OTHERS, NOW, starts=True)
    at = NOW
    while at < NOW + 2 * BOOK_SILENT_S:
        at += BOOK_SILENT_S / 2
        assert levels.put_in_force(OTHERS, at, starts=False)
        assert not levels.put_in_force(MINE, at + 1, starts=False)
    assert levels.put_in_force(MINE, at + BOOK_SILENT_S, starts=False)
    assert not levels.put_in_force(OTHERS, at + BOOK_SILENT_S + 1, starts=False)


def test_what_was_asked_again_is_counted_until_something_else_is(levels: LevelRecord) -> None:
    for number in (1, 2, 3):
        ask(levels, asked(f"api.level.{number}"))
    assert (known(levels)["run"], known(levels)["tries"]) == ("api.level.3", 3)
    ask(levels, asked("api.level.4", LATER))
    assert (known(levels)["asked_says"], known(levels)["tries"]) == (LATER, 1)


def test_what_is_as_it_is_wanted_names_the_run_that_made_it_so(levels: LevelRecord) -> None:
    levels.applied(REPLICAS, LATER, NOW)
    assert (known(levels)["applied_run"], known(levels)["applied_at"]) == ("", NOW)
    levels.waits(REPLICAS, "it is paused")
    ask(levels, asked())
    assert known(levels)["waits"] == ""
    levels.applied(REPLICAS, SAID, NOW + 60)
    levels.applied(REPLICAS, SAID, NOW + 660)
    found = known(levels)
    assert (found["applied_run"], found["applied_at"], found["tries"]) == (
        "api.level.1",
        NOW + 60,
        0,
    )


def test_what_a_level_waits_for_is_kept_until_it_does_not(levels: LevelRecord) -> None:
    levels.waits(REPLICAS, "api is paused")
    assert known(levels)["waits"] == "api is paused"
    levels.waits(REPLICAS, "")
    assert known(levels)["waits"] == ""


def test_what_a_level_says_is_news_once(levels: LevelRecord) -> None:
    heard = [levels.is_news("office-hours", digest, NOW) for digest in ("a", "a", "b", "b", "a")]
    assert heard == [True, False, True, False, True]


def test_what_a_level_asked_for_is_wanted_while_it_and_its_rules_hold(levels: LevelRecord) -> None:
    assert not levels.check(asked(), NOW).passed
    levels.put_in_force(MINE, NOW, starts=True)
    assert levels.check(asked(), NOW).passed
    over = levels.check(asked(), NOW + 600)
    assert not over.passed
    assert "something else holds for replicas" in over.saw
    levels.put_in_force(OTHERS, NOW, starts=True)
    assert f"the rules in force are {OTHERS}" in levels.check(asked(), NOW).saw


def test_how_many_there_were_at_the_start_is_kept_once(levels: LevelRecord) -> None:
    growth = ("gradual from 2026-12-07", *REPLICAS)
    levels.keep_baseline(growth, 3, NOW)
    levels.keep_baseline(growth, 6, NOW + 600)
    assert dict(levels.baselines()) == {growth: 3}
