"""A balancer's file is put in force, and an undo puts the old one back, wherever a run dies.

On both databases, with nginx in memory, at each boundary of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.nginx.render import render
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.people import BadRequest
from tests.contract.test_crashes_and_people import adopted, boundaries, restarted
from tests.databases import Databases
from tests.fakes.alerts import CPU, NOW, alert, delivery, rule_book
from tests.fakes.clock import FakeClock
from tests.fakes.nginx import FakeNginx
from tests.fakes.runs import EDGE
from tests.properties.installation import OLGA, Execution, Installation, opened

STEPS = ("prepare", "announce", "write", "reload", "verify", "conclude", "report")
OLD = render(replace(EDGE, servers=EDGE.servers[:1]))
NEW = render(EDGE)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine) -> tuple[Installation, FakeNginx]:
    """An alert has asked that the balancer's file be as the rules say; it has one server yet."""
    made = rule_book()
    rule = replace(made.rules[0], action="apply_balancer", target="edge")
    nginx = FakeNginx(FakeClock(), text=OLD, loaded=OLD)
    book = replace(made, rules=(rule,), targets={"edge": EDGE})
    now = Installation(engine, book, {"nginx": nginx})
    nginx.clock = now.clock
    now.deliver(delivery(alert(CPU), at=NOW))
    return now, nginx


def assert_in_order(now: Installation, nginx: FakeNginx, text: str, writes: int) -> None:
    assert now.witness.broken == []
    assert (nginx.text, nginx.loaded) == (text, text)
    assert nginx.writes.effective == ["write", "reload"] * writes
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


@pytest.mark.spread("done:write", "recorded:write", "done:reload", "done:conclude")
@pytest.mark.parametrize(
    ("boundary", "taken_up"),
    [
        *((each, restarted) for each in boundaries(*STEPS)),
        *((each, adopted) for each in boundaries("write", "reload", "verify")),
    ],
)
def test_a_run_that_dies_anywhere_puts_the_file_in_force_once(
    engine: sa.Engine, boundary: str, taken_up: Callable[[Installation, Execution], None]
) -> None:
    now, nginx = asked(engine)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert now.rows("SELECT id, status FROM runs") == [("edge.out.1", "succeeded")]
    assert_in_order(now, nginx, NEW, 1)


@pytest.mark.spread("done:write", "done:reload")
@pytest.mark.parametrize("boundary", boundaries("write", "reload", "verify"))
def test_an_undo_that_dies_anywhere_puts_the_old_file_back_once(
    engine: sa.Engine, boundary: str
) -> None:
    now, nginx = asked(engine)
    now.go_on()
    now.people.undo(OLGA, "edge.out.1", "it was not needed")
    first = now.begin()
    first.go_to(boundary)
    restarted(now, first)
    assert dict(now.rows("SELECT id, status FROM runs")) == {
        "edge.out.1": "succeeded",
        "edge.person.1": "succeeded",
    }
    assert_in_order(now, nginx, OLD, 2)


def test_a_person_has_it_applied_without_naming_a_value_and_may_look_at_the_plan_first(
    engine: sa.Engine,
) -> None:
    now, nginx = asked(engine)
    now.deliver(delivery(alert(CPU), at=NOW))
    now.go_on()
    nginx.text = nginx.loaded = OLD
    planned = now.people.run(OLGA, "apply_balancer", "edge", why="a plan", plan_only=True)
    now.go_on()
    assert nginx.text == OLD
    done = now.people.run(OLGA, "apply_balancer", "edge", why="the rules have changed")
    now.go_on()
    ended = dict(now.rows("SELECT id, status FROM runs"))
    assert (ended[planned.run], ended[done.run]) == ("shadow", "succeeded")
    assert nginx.text == NEW


def test_an_undo_of_a_file_that_somebody_has_changed_since_changes_nothing(
    engine: sa.Engine,
) -> None:
    now, nginx = asked(engine)
    now.go_on()
    nginx.text = nginx.loaded = NEW.replace("10.0.0.12", "10.0.0.99")
    now.people.undo(OLGA, "edge.out.1", "it was not needed")
    now.go_on()
    ended = dict(now.rows("SELECT id, status FROM runs"))
    assert ended["edge.person.1"] == "held"
    assert "10.0.0.99" in (nginx.text or "")


@pytest.mark.parametrize(("to", "step"), [({"file": "none"}, None), (None, 1)])
def test_a_person_can_name_neither_a_value_nor_steps_of_a_file(
    engine: sa.Engine, to: dict[str, str] | None, step: int | None
) -> None:
    now, _ = asked(engine)
    with pytest.raises(BadRequest, match="takes neither a value nor steps: it does what the rules"):
        now.people.run(OLGA, "apply_balancer", "edge", to=to, step=step, why="a try")
