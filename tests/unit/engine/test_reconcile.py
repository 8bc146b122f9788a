from __future__ import annotations

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.planning import PlanHeld
from service.domain.errors import FailureKind, VendorError
from service.engine.reconcile import reconcile
from service.ports import Page
from service.ports.offs import ON, TAKEN_OVER, Resize, Sent
from tests.fakes.engine import ME, FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER)
RUN, RESOURCE = ASK.id, ASK.target.resource
AWAY = VendorError("digitalocean", "read", FailureKind.TEMPORARY, "It cannot be reached.")


@pytest.fixture
def worker() -> FakeWorker:
    """A worker that has executed a run."""
    worker = FakeWorker()
    worker.execute(ASK)
    return worker


def look(worker: FakeWorker) -> None:
    reconcile(worker.parts, RUN, Recorder())


def test_a_target_that_is_as_the_run_left_it_is_not_told(worker: FakeWorker) -> None:
    before = worker.said()

    look(worker)

    assert worker.change.made_safe == 1
    assert worker.said() == before
    assert worker.pager.open == {}


def test_a_target_that_is_back_where_the_run_found_it_is_told_and_not_changed(
    worker: FakeWorker,
) -> None:
    worker.change.value = "small"

    look(worker)

    assert worker.change.value == "small"
    assert "has size small again" in worker.said()[-1]


def test_a_target_that_somebody_changed_further_is_left_alone(worker: FakeWorker) -> None:
    worker.change.value = "larger still"
    before = worker.said()
    look(worker)
    assert worker.said() == before


def test_a_target_that_does_not_serve_is_paged(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("project_status", "It is PAUSED.", unsafe=True)

    look(worker)

    page = worker.pager.open[run_dedup_key(RUN)]
    assert page.details["what happened"] == "It is PAUSED."


def test_a_droplet_that_a_person_left_off_is_told_and_wakes_nobody(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("droplet_status", "Droplet 101 is off.", by_person=True)

    look(worker)

    assert worker.pager.open == {}
    assert "Droplet 101 is off." in worker.said()[-1]


# ---- A droplet that the run left off ----


@pytest.fixture
def off(worker: FakeWorker) -> FakeWorker:
    """A worker whose run has left its droplet off; the person on call was paged."""
    worker.offs.hold(Resize(RUN, RESOURCE, "101", "large"), ME, worker.clock.time())
    worker.offs.sending(RUN, Sent("shutdown", 7), worker.clock.time())
    worker.change.held = PlanHeld("droplet_status", "Droplet 101 is off.", by_person=True)
    worker.pager.trigger(Page(run_dedup_key(RUN), "off", "runbookd", "critical"))
    return worker


def test_a_droplet_that_stays_off_is_looked_at_again_later_each_time(off: FakeWorker) -> None:
    waits, said, tries = [], off.said(), off.pager.tries
    for _ in range(9):
        look(off)
        waits.append(off.offs.records[RUN].next_at - off.clock.time())
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert (off.said(), off.pager.tries) == (said, tries)


def test_a_droplet_that_comes_on_at_last_ends_its_page(off: FakeWorker) -> None:
    off.change.held = None
    off.change.on_safe = lambda: off.offs.end(RUN, ON, off.clock.time())
    look(off)
    assert off.pager.open == {}


def test_a_droplet_that_a_person_took_over_keeps_its_page(off: FakeWorker) -> None:
    off.change.on_safe = lambda: off.offs.end(RUN, TAKEN_OVER, off.clock.time())
    look(off)
    assert list(off.pager.open) == [run_dedup_key(RUN)]
    assert "Droplet 101 is off." in off.said()[-1]


def test_a_droplet_that_is_locked_is_looked_at_again_and_told_once(off: FakeWorker) -> None:
    off.locks.owners[RESOURCE] = "a person"
    before = len(off.said())
    for _ in range(3):
        look(off)
    assert len(off.said()) == before + 1
    assert off.offs.records[RUN].tries == 3
    assert off.change.made_safe == 0


def test_a_target_that_is_held_for_another_reason_is_not_paged(worker: FakeWorker) -> None:
    worker.change.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    look(worker)
    assert worker.pager.open == {}


def test_a_target_that_cannot_be_looked_at_is_paged(worker: FakeWorker) -> None:
    worker.change.unseen = AWAY
    look(worker)
    assert list(worker.pager.open) == [run_dedup_key(RUN)]


def test_a_target_that_a_person_has_locked_is_left_alone_and_told(worker: FakeWorker) -> None:
    worker.locks.owners[RESOURCE] = "a person"

    look(worker)

    assert worker.change.made_safe == 0
    assert worker.locks.owners == {RESOURCE: "a person"}
    assert "locked by a person" in worker.said()[-1]


def test_the_lock_is_given_back_after_the_look(worker: FakeWorker) -> None:
    look(worker)
    assert worker.locks.owners == {}


def test_a_run_that_wrote_nothing_leaves_nothing_to_be_made_safe(worker: FakeWorker) -> None:
    worker.runs.intents.clear()
    look(worker)
    assert worker.change.made_safe == 0


def test_a_store_that_fails_ends_the_process_so_that_the_look_is_made_again(
    worker: FakeWorker,
) -> None:
    worker.runs.down = True
    steps = Recorder()

    with pytest.raises(ProcessEnded):
        reconcile(worker.parts, RUN, steps)

    assert steps.records == {}
