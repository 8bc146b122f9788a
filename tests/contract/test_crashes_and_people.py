"""Runs that people approve, undo and cancel, and returns, that die at any boundary of their steps.

It is the in-process form of `tests/crash/test_people.py`: on both databases, with the vendors in
memory, at each boundary, and in both ways in which a run is taken up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.app_platform.target import AppTarget
from service.domain.decisions.approval import APPROVED
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.policy import APPROVE, Policy
from service.domain.decisions.returns import Return
from service.domain.rules.rules import RuleBook
from tests.databases import Databases
from tests.fakes.alerts import CPU, NOW, alert, delivery, resolved, rule_book
from tests.properties.installation import OLGA, PAUL, Execution, Installation, opened

ASKING = ("prepare", "ask", "report")
CHANGING = (
    "prepare",
    "announce",
    "update_app",
    "await_deployment",
    "verify",
    "conclude",
    "report",
)
CANCELLED = ("await_deployment", "make_safe", "conclude", "report")
"""The steps after the cancel, of which the first only says so."""


def boundaries(*steps: str) -> list[str]:
    """Before the first step; of each between it and its record, and after the record."""
    after = [f"{when}:{step}" for step in steps for when in ("done", "recorded")]
    return [f"begun:{steps[0]}", *after]


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def restarted(now: Installation, first: Execution) -> None:
    """Its process is killed, and another takes the run up."""
    first.die()
    now.go_on()


def adopted(now: Installation, first: Execution) -> None:
    """Its process is only stopped: it goes on when another has ended the run."""
    now.adopt(0)
    second = now.newest()
    while not second.over:
        second.go(1)
    assert not second.died
    now.go_on()
    assert first.over


TakenUp = Callable[[Installation, Execution], None]
both_ways = pytest.mark.parametrize("taken_up", [restarted, adopted])


def book(mode: str, returns: Return | None = None) -> RuleBook:
    """The rules of other tests, all of them in one mode."""
    made = rule_book()
    rules = tuple(replace(each, policy=Policy(mode, returns=returns)) for each in made.rules)
    targets = {"api": made.targets["api"]}
    return replace(made, rules=rules, targets=targets, policy=Policy(mode))


def installation(engine: sa.Engine, mode: str = "act") -> Installation:
    """One on which an alert has asked for one more instance."""
    now = Installation(engine, book(mode))
    now.deliver(delivery(alert(CPU), at=NOW))
    return now


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


def assert_in_order(now: Installation, count: int, writes: int) -> None:
    """So many instances by so many writes, and no claim that nobody will ever give back."""
    assert now.witness.broken == []
    assert now.apps.values()["replicas"] == count
    assert now.apps.writes.effective == ["update_app"] * writes
    busy = now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL)
    waiting = now.rows("SELECT run FROM approvals WHERE state = 'waiting'")
    assert busy == waiting


def titles(now: Installation) -> list[str]:
    return [each.title for each in now.messenger.messages.values()]


@both_ways
@pytest.mark.spread("done:ask", "recorded:ask")
@pytest.mark.parametrize("boundary", boundaries(*ASKING))
def test_a_run_that_asks_and_dies_anywhere_has_asked_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine, APPROVE)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "waiting"}
    assert [each.run for each in now.approvals.waiting()] == ["api.out.1"]
    assert_in_order(now, 2, 0)
    # Told before it was on record, it is told once more.
    asked = ["Approve? api: replicas 2 → 3"]
    assert titles(now) in (asked, asked * 2)


@both_ways
@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_a_run_that_was_approved_and_dies_anywhere_changes_the_target_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine, APPROVE)
    now.go_on()
    (asking,) = now.approvals.waiting()
    now.people.decide(PAUL, asking.id, APPROVED, "it is needed")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "held", "api.out.2": "succeeded"}
    assert len(now.people.approvals(10)) == 1, "nobody is asked twice"
    assert_in_order(now, 3, 1)


@both_ways
@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_an_undo_that_dies_anywhere_takes_back_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine)
    now.go_on()
    now.people.undo(OLGA, "api.out.1", "it was not needed")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "succeeded", "api.person.1": "succeeded"}
    assert_in_order(now, 2, 2)


@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_a_count_and_a_size_that_a_person_sets_are_one_write_wherever_the_run_dies(
    engine: sa.Engine, boundary: str
) -> None:
    rules = book("act")
    api = AppTarget("api", "app-1", "api", 2, 10, ("professional-xs", "professional-m"))
    now = Installation(engine, replace(rules, targets={"api": api}))
    to = {"replicas": 4, "size": "professional-m"}
    now.people.run(OLGA, "set_capacity", "api", to=to, why="a big exam")
    first = now.begin()
    first.go_to(boundary)
    restarted(now, first)
    assert statuses(now) == {"api.person.1": "succeeded"}
    assert_in_order(now, 4, 1)
    assert now.apps.values()["size"] == "professional-m"
    kept = {each.attribute: each.value for each in now.parts.ledger.entries()}
    assert kept == to


@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_the_vendors_autoscaling_is_set_in_one_write_and_taken_back_in_one_wherever_runs_die(
    engine: sa.Engine, boundary: str
) -> None:
    api = AppTarget("api", "app-1", "api", 2, 10, ("professional-m", "professional-l"))
    now = Installation(engine, replace(book("act"), targets={"api": api}))
    dedicated = deepcopy(now.apps.spec)
    dedicated["services"][0]["instance_size_slug"] = "professional-l"
    now.apps.deploy(dedicated, takes_s=0)
    to = {"min": 2, "max": 10, "cpu": 70}
    now.people.run(OLGA, "set_autoscaling", "api", to=to, why="a big exam")
    first = now.begin()
    first.go_to(boundary)
    restarted(now, first)
    assert now.apps.specified("api")["autoscaling"] == {
        "min_instance_count": 2,
        "max_instance_count": 10,
        "metrics": {"cpu": {"percent": 70}},
    }
    assert now.apps.writes.effective == ["update_app"]

    now.people.undo(OLGA, "api.person.1", "the exam is off")
    second = now.begin()
    second.go_to(boundary)
    restarted(now, second)
    assert statuses(now) == {"api.person.1": "succeeded", "api.person.2": "succeeded"}
    assert now.apps.spec == dedicated
    assert now.apps.writes.effective == ["update_app"] * 2
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries("update_app", "conclude"))
def test_the_vendors_autoscaling_is_switched_off_once_and_restored_by_an_undo_wherever_runs_die(
    engine: sa.Engine, boundary: str
) -> None:
    api = AppTarget("api", "app-1", "api", 2, 10, ("professional-m", "professional-l"))
    now = Installation(engine, replace(book("act"), targets={"api": api}))
    scaled = deepcopy(now.apps.spec)
    component = scaled["services"][0]
    del component["instance_count"]
    component["instance_size_slug"] = "professional-l"
    component["autoscaling"] = {
        "min_instance_count": 2,
        "max_instance_count": 8,
        "metrics": {"cpu": {"percent": 70}, "requests_per_second": {"per_instance": 500}},
    }
    now.apps.deploy(scaled, takes_s=0)
    now.people.run(OLGA, "set_autoscaling", "api", to={"fixed": 4}, why="it swings")
    first = now.begin()
    first.go_to(boundary)
    restarted(now, first)
    off = {**component, "instance_count": 4}
    del off["autoscaling"]
    assert now.apps.specified("api") == off
    assert now.apps.writes.effective == ["update_app"]

    now.people.undo(OLGA, "api.person.1", "it does not swing any more")
    second = now.begin()
    second.go_to(boundary)
    restarted(now, second)
    assert statuses(now) == {"api.person.1": "succeeded", "api.person.2": "succeeded"}
    assert now.apps.spec == scaled
    assert now.apps.writes.effective == ["update_app"] * 2
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


@both_ways
@pytest.mark.spread("done:update_app", "recorded:update_app", "done:conclude")
@pytest.mark.parametrize("boundary", boundaries(*CHANGING))
def test_a_return_that_dies_anywhere_takes_back_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, book("act", returns=Return(600.0)))
    now.deliver(delivery(alert(CPU), at=NOW))
    now.go_on()
    now.deliver(delivery(resolved(CPU), at=NOW))
    now.busy(10.0)
    now.wait(601.0)
    now.take_back()
    now.begin().go(1_000)
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "succeeded", "api.return.1": "succeeded"}
    assert_in_order(now, 2, 2)
    assert [each.additions for each in now.parts.ledger.entries()] == [()]


@both_ways
@pytest.mark.spread("recorded:update_app", "done:make_safe", "done:conclude")
@pytest.mark.parametrize("boundary", ["recorded:update_app", *boundaries(*CANCELLED)])
def test_a_run_that_is_cancelled_between_two_steps_and_dies_anywhere_after_it_stays_cancelled(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine)
    first = now.begin()
    first.go_to("recorded:update_app")
    now.people.cancel(OLGA, "api.out.1", "the exam is off")
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "cancelled"}
    assert_in_order(now, 3, 1)
    assert now.pager.open == {}


@both_ways
@pytest.mark.parametrize("boundary", boundaries("announce"))
def test_a_run_that_is_cancelled_before_its_write_and_dies_writes_nothing(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = installation(engine)
    first = now.begin()
    first.go_to("begun:announce")
    now.people.cancel(OLGA, "api.out.1", "the exam is off")
    first.go_to(boundary)
    taken_up(now, first)
    assert statuses(now) == {"api.out.1": "cancelled"}
    assert_in_order(now, 2, 0)
