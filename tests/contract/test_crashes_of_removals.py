"""Removals of what is unused that die at any boundary of their steps, on both databases: they wait
for a person, and what they remove is removed once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa

from service.catalogue.digitalocean_account.target import AccountTarget
from service.domain.decisions.approval import APPROVED
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.people import Conflict, Person, Role
from service.domain.rules.rules import RuleBook
from service.ports.bills import BALANCER, VOLUME
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.accounts import FakeAccount
from tests.fakes.clock import FakeClock
from tests.properties.installation import OLGA, PAUL, Installation, opened

BOOK = RuleBook((), {"account": AccountTarget("account")}, "0123456789ab")
REMOVING = ("remove_1", "snapshot_2", "remove_2", "verify")
WRITES = ["delete b1", "snapshot v1", "delete v1"]


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def asked(engine: sa.Engine, person: Person = OLGA) -> tuple[Installation, FakeAccount]:
    """A person has asked that what is unused is removed."""
    account = FakeAccount(FakeClock())
    now = Installation(engine, BOOK, {"digitalocean_account": account})
    account.clock = now.clock
    account.add(BALANCER, "b1", name="edge")
    account.add(VOLUME, "v1", name="data", gigabytes=Decimal(100))
    now.people.run(person, "remove_unused", "account", why="the bill")
    return now, account


def statuses(now: Installation) -> dict[str, str]:
    return dict(now.rows("SELECT id, status FROM runs"))


@both_ways
@pytest.mark.spread("done:remove_1", "done:snapshot_2", "recorded:snapshot_2", "done:remove_2")
@pytest.mark.parametrize("boundary", boundaries(*REMOVING))
def test_a_removal_that_was_approved_and_dies_anywhere_removes_each_thing_once(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now, account = asked(engine)
    now.go_on()
    (asking,) = now.approvals.waiting()
    now.people.decide(PAUL, asking.id, APPROVED, "nobody uses it")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert sorted(statuses(now).values()) == ["held", "succeeded"]
    assert account.writes.effective == WRITES
    assert account.ids() == ["sv1"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.pager.open == {}


def test_even_a_person_who_may_approve_is_asked_first(engine: sa.Engine) -> None:
    admin = Person("ann", frozenset(Role))
    now, account = asked(engine, admin)
    now.go_on()
    assert set(statuses(now).values()) == {"waiting"}
    (message,) = now.messenger.messages.values()
    assert "load balancer edge (b1) $12.00 a month" in message.title
    assert account.writes.sent == 0


def test_another_list_than_the_one_that_was_approved_is_asked_for_again(engine: sa.Engine) -> None:
    now, account = asked(engine)
    now.go_on()
    (asking,) = now.approvals.waiting()
    account.add(BALANCER, "b2", name="other")
    now.people.decide(PAUL, asking.id, APPROVED, "nobody uses it")
    now.go_on()
    assert account.writes.sent == 0
    (again,) = now.approvals.waiting()
    assert again.why.startswith("what was approved has changed meanwhile")


def test_a_removal_is_never_undone_and_says_what_is_left(engine: sa.Engine) -> None:
    now, _ = asked(engine)
    now.go_on()
    (asking,) = now.approvals.waiting()
    now.people.decide(PAUL, asking.id, APPROVED, "nobody uses it")
    now.go_on()
    (done,) = [run for run, status in statuses(now).items() if status == "succeeded"]
    with pytest.raises(Conflict, match="from the snapshot that was taken right before"):
        now.people.undo(OLGA, done, "a mistake")
