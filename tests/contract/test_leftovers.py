"""What runs have left at a vendor: kept once, removed once, by one of several workers."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.ports.leftovers import Leftover, Leftovers
from service.store.leftovers import LeftoverStore
from tests.contract.leases import lease_store
from tests.fakes.leftovers import FakeLeftovers

NOW = 1_795_000_000.0
DAY = 86_400.0
WHAT = {"snapshot": "pre-scale-1", "last_action": 7}


@pytest.fixture(params=["fake", "sql"])
def leftovers(request: pytest.FixtureRequest, engine: sa.Engine) -> Leftovers:
    """The record, with one thing in it that is due in a week."""
    store = FakeLeftovers() if request.param == "fake" else LeftoverStore(engine)
    store.put("worker-vm.up.1", WHAT, NOW + 7 * DAY)
    return store


def test_nothing_is_taken_before_it_is_due(leftovers: Leftovers) -> None:
    assert leftovers.take(NOW + 7 * DAY - 1, DAY, 5) == []


def test_what_is_due_is_taken_by_one_and_again_a_day_later(leftovers: Leftovers) -> None:
    due = NOW + 7 * DAY
    assert leftovers.take(due, DAY, 5) == [Leftover("worker-vm.up.1", WHAT, 0)]
    assert leftovers.take(due, DAY, 5) == []
    assert leftovers.take(due + DAY, DAY, 5) == [Leftover("worker-vm.up.1", WHAT, 1)]


def test_what_was_removed_is_never_taken_nor_kept_again(leftovers: Leftovers) -> None:
    leftovers.removed("worker-vm.up.1", NOW)
    leftovers.put("worker-vm.up.1", WHAT, NOW)
    assert leftovers.take(NOW + 30 * DAY, DAY, 5) == []


def test_a_conclusion_that_is_executed_twice_keeps_the_first_date(leftovers: Leftovers) -> None:
    leftovers.put("worker-vm.up.1", WHAT, NOW)
    assert leftovers.take(NOW + DAY, DAY, 5) == []


def test_at_most_so_many_are_taken_the_oldest_first(leftovers: Leftovers) -> None:
    for number in range(3):
        leftovers.put(f"worker-vm.up.{number + 2}", WHAT, NOW - number)
    taken = leftovers.take(NOW, DAY, 2)
    assert [each.run for each in taken] == ["worker-vm.up.4", "worker-vm.up.3"]


def test_a_sign_of_life_sees_what_is_due(engine: sa.Engine) -> None:
    store, leases = LeftoverStore(engine), lease_store(engine, 15.0)
    leases.register("w1", "here", 1)
    store.put("worker-vm.up.1", WHAT, NOW + 3650 * DAY)
    signs = leases.renew("w1")
    assert signs is not None
    assert not signs.leftover
    store.put("worker-vm.up.2", WHAT, 0.0)
    signs = leases.renew("w1")
    assert signs is not None
    assert signs.leftover
