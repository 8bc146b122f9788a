"""Workers that die at each boundary of each look at a scenario, on both databases.

The runs of its steps have their own tests. Here every look is begun by a worker that dies, or is
only stopped, at the boundary, and another worker goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.cache.strategies import DEFAULTS, fields_of
from service.catalogue.cache.target import SETTINGS
from service.domain.decisions.claims import BUSY_UNTIL
from service.engine.scenarios import HOLD_S, ScenarioRound
from tests.contract.test_scenarios import BY_HAND, RUSH, Stand
from tests.databases import Databases
from tests.properties.installation import OLGA, Execution, opened

LOOK = (
    "begun:take",
    "done:take",
    "done:shown",
    "begun:advance",
    "done:advance",
    "done:begin_telling",
    "begun:told",
    "done:told",
    "begun:put_back",
    "done:put_back",
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def died(first: Execution, others: Callable[[], None]) -> None:
    """Its process is killed, and another worker goes on once its hold is over."""
    first.die()
    others()


def stopped(first: Execution, others: Callable[[], None]) -> None:
    """Its process is only stopped: it goes on when another has looked."""
    others()
    while not first.over:
        first.go(1)
    assert not first.died


Ending = Callable[[Execution, Callable[[], None]], None]


def come_to(stand: Stand, run: str, state: str, boundary: str, ending: Ending) -> None:
    """Let every look be begun by a worker that comes no further than the boundary."""
    now = stand.now

    def another() -> None:
        now.clock.now += HOLD_S + 1
        ScenarioRound(now.parts)(True)

    for _ in range(30):
        first = now.look_at_scenarios()
        while not first.over and first.at != boundary:
            first.go(1)
        ending(first, another)
        now.go_on()
        ((is_now, next_at),) = now.rows("SELECT state, next_at FROM scenario_runs")
        if is_now == state:
            return
        now.clock.now = max(now.clock.now, next_at)
    raise AssertionError(f"{run} is {is_now}, and never {state}")


@pytest.mark.parametrize("ending", [died, pytest.param(stopped, marks=pytest.mark.long)])
@pytest.mark.spread("begun:advance", "done:advance")
@pytest.mark.parametrize("boundary", LOOK)
def test_a_scenario_whose_every_look_dies_anywhere_does_each_step_once_and_takes_it_back_once(
    engine: sa.Engine, boundary: str, ending: Ending
) -> None:
    stand = Stand(engine, replace(RUSH, lasts_s=None))
    run = stand.run()
    come_to(stand, run, "done", boundary, ending)
    assert stand.now.apps.values() == {"replicas": 8, "size": "professional-m"}
    assert stand.cache.keys == {SETTINGS: fields_of("aggressive", DEFAULTS), "session:1": "me"}
    stand.people.undo(OLGA, run, "the rush is over")
    come_to(stand, run, "undone", boundary, ending)
    assert stand.now.apps.values() == {"replicas": 2, "size": "professional-xs"}
    assert stand.cache.keys == {SETTINGS: BY_HAND, "session:1": "me"}
    assert stand.now.apps.writes.effective == ["update_app"] * 2
    ids = [id_ for (id_,) in stand.now.rows("SELECT id FROM runs ORDER BY id")]
    steps = ("cache.1", "cache.back.1", "flush.1", "out.1", "out.back.1")
    assert ids == [f"{run}.{each}" for each in steps]
    assert stand.now.rows("SELECT run FROM cooldowns WHERE until >= :u", u=BUSY_UNTIL) == []
    # The last look may have died before it told; the next one tells.
    stand.now.clock.now += HOLD_S + 1
    ScenarioRound(stand.now.parts)(True)
    titles = [each.title for each in stand.now.messenger.messages.values()]
    assert titles[-1] == "Scenario rush: undone"
