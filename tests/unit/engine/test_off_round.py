from __future__ import annotations

import pytest

from service.engine.durable import OVER
from service.engine.off_round import OffRound
from service.engine.off_watch import OffDroplet
from service.ports.offs import ON, Resize, Sent
from tests.fakes.engine import ME, FakeWorker

RUN, RESOURCE = "worker-vm.up.1", "do-droplet:101"
LOOK = f"{RUN}~look.on.0"
DEAD = "a dead worker"


class Desk:
    """A worker with one droplet that is off, left by a dead worker; `statuses` are the engine's."""

    def __init__(self) -> None:
        self.worker = FakeWorker(watching=True)
        self.worker.leases.alive = {ME: True, "other": True, DEAD: False}
        self.statuses = {RUN: "SUCCESS"}
        self.round = OffRound(self.worker.parts, ME, self.status_of, OVER)
        self.open(DEAD)

    def open(self, holder: str) -> None:
        now = self.worker.clock.time()
        self.worker.offs.hold(Resize(RUN, RESOURCE, "101", "large"), holder, now)
        self.worker.offs.sending(RUN, Sent("shutdown", 7), now)

    def status_of(self, ids: list[str]) -> dict[str, str]:
        return {one: self.statuses[one] for one in ids if one in self.statuses}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_droplet_that_a_dead_worker_left_off_is_watched_from_when_it_went_off(
    desk: Desk,
) -> None:
    desk.worker.clock.sleep(40)
    desk.round()
    desk.worker.clock.sleep(19)
    assert desk.worker.pager.tries == 0
    desk.worker.clock.sleep(2)
    assert desk.worker.pager.tries == 1


def test_a_droplet_that_a_live_worker_looks_after_is_left_to_its_watch(desk: Desk) -> None:
    desk.worker.offs.take(RUN, "other")
    desk.round()
    assert desk.worker.off_watch.runs() == frozenset()


def test_a_droplet_that_another_worker_has_brought_on_is_watched_no_more(desk: Desk) -> None:
    desk.round()
    desk.worker.offs.end(RUN, ON, desk.worker.clock.time())
    desk.round()
    desk.worker.clock.sleep(600)
    assert (desk.worker.off_watch.runs(), desk.worker.pager.tries) == (frozenset(), 0)


def test_a_droplet_that_goes_off_during_a_round_stays_watched(desk: Desk) -> None:
    desk.worker.offs.end(RUN, ON, desk.worker.clock.time())
    late = OffDroplet("late.up.1", "102", "do-droplet:102")
    desk.worker.offs.while_reading = lambda: desk.worker.off_watch.watch(late)
    desk.round()
    assert desk.worker.off_watch.runs() == {late.run}


@pytest.mark.parametrize("status", sorted(OVER))
def test_a_droplet_whose_run_has_ended_is_looked_at_again(desk: Desk, status: str) -> None:
    desk.statuses[RUN] = status
    desk.round()
    assert desk.worker.looks == [(RUN, "on.0", 0.0)]


@pytest.mark.parametrize("status", ["PENDING", "ENQUEUED", "DELAYED"])
@pytest.mark.parametrize("workflow", [RUN, LOOK])
def test_a_droplet_that_its_run_or_a_look_is_at_work_on_is_left_to_it(
    desk: Desk, workflow: str, status: str
) -> None:
    desk.statuses[workflow] = status
    desk.round()
    assert desk.worker.looks == []


def test_a_look_is_queued_no_sooner_than_it_is_due(desk: Desk) -> None:
    desk.worker.offs.looked(RUN, 0, desk.worker.clock.time() + 30)
    desk.round()
    assert desk.worker.looks == []
    desk.worker.clock.sleep(30)
    desk.round()
    assert desk.worker.looks == [(RUN, "on.1", 0.0)]


def test_a_look_that_ended_without_a_word_is_followed_by_another(desk: Desk) -> None:
    desk.statuses[LOOK] = "ERROR"
    desk.round()
    desk.round()
    assert desk.worker.looks == [(RUN, "on.1", 0.0)]


def test_without_droplets_that_are_off_a_round_asks_for_nothing_more(desk: Desk) -> None:
    desk.worker.offs.end(RUN, ON, desk.worker.clock.time())
    desk.statuses = {}
    desk.worker.leases.down = True
    desk.round()
    assert desk.worker.looks == []
