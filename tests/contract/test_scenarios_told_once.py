"""What people hear of a scenario while several workers look at it, and of one that does not go on.
On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.errors import FailureKind
from service.domain.people import Conflict
from service.engine import scenarios as looking
from service.engine.outbox import OutboxRound
from service.engine.scenarios import HOLD_S, LONGEST_AGAIN_S, ScenarioRound
from service.ports.scenarios import Looked, Step
from service.store.status import status
from service.store.stuck import stuck_now
from tests.contract.test_scenarios import RUSH, Stand, told
from tests.databases import Databases
from tests.fakes.faults import vendor_error
from tests.fakes.outbox import FakeOutbox
from tests.properties.installation import OLGA, opened

pytestmark = pytest.mark.spread
"""On PostgreSQL `make test` tries those alone whose statements differ there: `on_both`."""
on_both = pytest.mark.spread(None)

OUT = replace(RUSH, name="out", steps=RUSH.steps[:1])
CACHE = replace(RUSH, name="cached", steps=RUSH.steps[1:2])


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


# ---- One message ----


@on_both
def test_a_step_that_ends_while_the_first_message_is_posted_posts_no_second_one(
    engine: sa.Engine,
) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    looks: list[float] = []

    def meanwhile() -> None:
        if not looks:
            looks.append(now.clock.now)
            now.go_on()
            ScenarioRound(now.parts)(True)

    now.messenger.hangs = meanwhile
    run = stand.run()
    assert now.go_through(run) == "active"
    assert looks, "a step has ended while the message was posted"
    (said,) = told(stand)
    assert said.startswith("Scenario rush: in force")


@on_both
def test_a_message_that_was_told_late_right_now_is_edited_and_not_posted_again(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    now.messenger.problem = vendor_error(FailureKind.TEMPORARY, "ratelimited")
    run = stand.run()
    ScenarioRound(now.parts)(True)
    now.messenger.problem = None
    now.clock.now += 60.0
    replaces = FakeOutbox.replace

    def late(self: FakeOutbox, *given: Any) -> bool:
        OutboxRound(now.parts)()
        return replaces(self, *given)

    monkeypatch.setattr(FakeOutbox, "replace", late)
    assert now.go_through(run) == "active"
    (said,) = told(stand)
    assert said.startswith("Scenario rush: in force")


def test_who_dies_while_telling_keeps_others_from_telling_only_for_a_while(
    engine: sa.Engine,
) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    run = stand.run()
    dying = now.look_at_scenarios()
    dying.go_to("done:begin_telling")
    dying.die()
    now.clock.now += HOLD_S / 2
    assert now.parts.scenarios.begin_telling(run, now.clock.now, now.clock.now + HOLD_S) is None
    now.clock.now += HOLD_S
    assert now.go_through(run) == "active"
    assert len(told(stand)) == 1


@on_both
def test_a_page_of_a_scenario_that_ends_while_another_worker_tells_is_sent_later(
    engine: sa.Engine,
) -> None:
    stand = Stand(engine, OUT)
    now = stand.now
    now.next_write("refused for good")
    seen: list[str] = []

    def meanwhile() -> None:
        if not seen:
            now.go_on()
            ScenarioRound(now.parts)(True)
            ((state,),) = now.rows("SELECT state FROM scenario_runs")
            seen.append(state)

    now.messenger.hangs = meanwhile
    run = stand.run("out")
    ScenarioRound(now.parts)(True)
    assert seen == ["incomplete"], "it has ended while its first message was posted"
    now.clock.now += HOLD_S + 1
    ScenarioRound(now.parts)(True)
    (page,) = [each for key, each in now.pager.open.items() if key.endswith(f"/{run}")]
    assert page.summary.startswith(f"Scenario {run} did not do step out: ")


def test_a_page_of_a_scenario_that_ends_is_sent_though_its_worker_dies_before_it(
    engine: sa.Engine,
) -> None:
    stand = Stand(engine, OUT)
    now = stand.now
    now.next_write("refused for good")
    run = stand.run("out")
    ScenarioRound(now.parts)(True)
    now.go_on()
    dying = now.look_at_scenarios()
    dying.go_to("done:advance")
    dying.die()
    assert now.rows("SELECT state FROM scenario_runs") == [("incomplete",)]
    now.clock.now += HOLD_S + 1
    ScenarioRound(now.parts)(True)
    (page,) = [each for key, each in now.pager.open.items() if key.endswith(f"/{run}")]
    assert page.summary.startswith(f"Scenario {run} did not do step out: ")


# ---- One that does not go on ----


def broken(stand: Stand, run: str, what: str) -> None:
    """What is stored of it is not as this version writes it."""
    changes = {
        "spec": "UPDATE scenario_runs SET spec = :text WHERE id = :run",
        "ask": "UPDATE scenario_steps SET ask = :text WHERE run = :run",
    }
    with stand.now.engine.begin() as connection:
        given = {"text": '{"of": "another version"}', "run": run}
        connection.execute(sa.text(changes[what]), given)


@on_both
@pytest.mark.parametrize("what", ["spec", "ask"])
def test_a_row_that_cannot_be_read_keeps_no_other_from_going_on_and_is_told_once(
    engine: sa.Engine, what: str
) -> None:
    stand = Stand(engine, CACHE, OUT)
    now = stand.now
    run = stand.run("cached")
    broken(stand, run, what)
    for _ in range(4):
        ScenarioRound(now.parts)(True)
        now.clock.now += HOLD_S + 1
    titles = [each.split("\n")[0] for each in told(stand)]
    assert titles == [f"Scenario {run} does not go on"]
    (page,) = now.pager.open.values()
    assert page.summary.startswith(f"Scenario {run} does not go on: what is stored of scenario")
    assert now.scenarios.floors("api") == {}
    assert stand.people.all(10)["runs"] == []
    (stuck,) = stuck_now(engine)
    assert (stuck.run, stuck.tries, stuck.told) == (run, 1, True)
    (shown,) = status(engine, {"hash": "", "targets": {}}, now.clock.now)["stuck_scenarios"]
    assert (shown["id"], shown["tries"]) == (run, 1)
    with pytest.raises(Conflict, match=f"To end it as it is: runbookd cancel {run}"):
        stand.people.one(run)
    other = stand.run("out")
    assert now.go_through(other) == "active"
    assert now.scenarios.floors("api")["replicas"] == (8, other)
    if what == "ask":
        with pytest.raises(Conflict, match=f"scenario {run} goes on, and changes app-cache too"):
            stand.run("cached")
    assert stand.people.cancel(OLGA, run, "it was of another version") == "cancelled"
    assert stuck_now(engine) == []
    ScenarioRound(now.parts)(True)
    assert now.pager.open == {}
    assert now.rows("SELECT stuck, next_at FROM scenario_runs WHERE id = :run", run=run) == [
        (None, None)
    ]
    again = stand.run("cached")
    assert now.go_through(again) == "active"
    rows = now.rows("SELECT who FROM audit WHERE verb = 'cancel' AND subject = :run", run=run)
    assert rows == [("olga",)]


@on_both
def test_a_scenario_whose_every_look_raises_is_told_once_and_looked_at_less_and_less(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(engine, RUSH, CACHE)
    now = stand.now
    run = stand.run()
    looks: list[float] = []
    step = looking._step

    def raising(looked: Looked, *rest: Any) -> Step:
        if looked.now.id == run:
            looks.append(now.clock.now)
            raise KeyError("a mistake")
        return step(looked, *rest)

    monkeypatch.setattr(looking, "_step", raising)
    ScenarioRound(now.parts)(True)
    assert told(stand) == [], "one look alone may have lost its connection"
    until = now.clock.now + 4 * LONGEST_AGAIN_S
    while now.clock.now < until:
        now.clock.now += 15.0
        ScenarioRound(now.parts)(True)
    assert len(told(stand)) == 1
    assert "A look at it raised KeyError ('a mistake')" in told(stand)[0]
    assert [each for each in now.pager.open if each.endswith(f"{run}.stuck")] != []
    waits = [after - before for before, after in pairwise(looks)]
    assert waits[:4] == [30.0, 60.0, 120.0, 240.0]
    assert max(waits) == LONGEST_AGAIN_S

    monkeypatch.setattr(looking, "_step", step)
    now.clock.now += LONGEST_AGAIN_S
    assert now.go_through(run) == "active"
    assert stuck_now(engine) == []
    assert [each for each in now.pager.open if each.endswith(f"{run}.stuck")] == []


@on_both
@pytest.mark.parametrize("state", ["running", "active", "undoing"])
def test_a_cancel_ends_a_scenario_that_does_not_go_on_in_any_state(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    run = stand.run()
    ScenarioRound(now.parts)(True)
    if state != "running":
        now.go_through(run)
    if state == "undoing":
        stand.people.undo(OLGA, run)

    def raising(looked: Looked, *rest: Any) -> Step:
        raise KeyError("a mistake")

    monkeypatch.setattr(looking, "_step", raising)
    for _ in range(3):
        now.clock.now += LONGEST_AGAIN_S + 1
        ScenarioRound(now.parts)(True)
    assert now.rows("SELECT state FROM scenario_runs") == [(state,)]
    assert [each for each in now.pager.open if each.endswith(f"{run}.stuck")] != []
    assert stand.people.cancel(OLGA, run, "we do it by hand") == "cancelled"
    ScenarioRound(now.parts)(True)
    assert now.pager.open == {}
    assert "It did not go on, and was cancelled by olga: we do it by hand." in told(stand)[0]
    assert now.rows("SELECT stuck, next_at FROM scenario_runs") == [(None, None)]
