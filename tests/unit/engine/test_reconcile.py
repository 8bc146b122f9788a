from __future__ import annotations

import pytest

from service.domain.dedup import run_dedup_key
from service.domain.errors import FailureKind, VendorError
from service.domain.planning import PlanHeld
from service.domain.rules import ActionName
from service.engine.reconcile import reconcile
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import WORKER, ask_for

ASK = ask_for(ActionName.VERTICAL_SCALE, WORKER)
RUN, RESOURCE = ASK.run_id, ASK.target.resource
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

    assert worker.scaler.made_safe == 1
    assert worker.said() == before
    assert worker.pager.open == {}


def test_a_target_that_is_back_where_the_run_found_it_is_told_and_not_changed(
    worker: FakeWorker,
) -> None:
    worker.scaler.value = "small"

    look(worker)

    assert worker.scaler.value == "small"
    assert "has size small again" in worker.said()[-1]


def test_a_target_that_somebody_changed_further_is_left_alone(worker: FakeWorker) -> None:
    worker.scaler.value = "larger still"
    before = worker.said()
    look(worker)
    assert worker.said() == before


def test_a_target_that_does_not_serve_is_paged(worker: FakeWorker) -> None:
    worker.scaler.held = PlanHeld("droplet_status", "Droplet 101 is off.", retry_after_s=60.0)

    look(worker)

    page = worker.pager.open[run_dedup_key(RUN)]
    assert page.details["what happened"] == "Droplet 101 is off."


def test_a_target_that_is_held_for_another_reason_is_not_paged(worker: FakeWorker) -> None:
    worker.scaler.held = PlanHeld("ladder_top", "It is at the top.", at_bound=True)
    look(worker)
    assert worker.pager.open == {}


def test_a_target_that_cannot_be_looked_at_is_paged(worker: FakeWorker) -> None:
    worker.scaler.unseen = AWAY
    look(worker)
    assert list(worker.pager.open) == [run_dedup_key(RUN)]


def test_a_target_that_a_person_has_locked_is_left_alone_and_told(worker: FakeWorker) -> None:
    worker.locks.owners[RESOURCE] = "a person"

    look(worker)

    assert worker.scaler.made_safe == 0
    assert worker.locks.owners == {RESOURCE: "a person"}
    assert "locked by a person" in worker.said()[-1]


def test_the_lock_is_given_back_after_the_look(worker: FakeWorker) -> None:
    look(worker)
    assert worker.locks.owners == {}


def test_a_run_that_wrote_nothing_leaves_nothing_to_be_made_safe(worker: FakeWorker) -> None:
    worker.runs.intents.clear()
    look(worker)
    assert worker.scaler.made_safe == 0


def test_a_store_that_fails_ends_the_process_so_that_the_look_is_made_again(
    worker: FakeWorker,
) -> None:
    worker.runs.down = True
    steps = Recorder()

    with pytest.raises(ProcessEnded):
        reconcile(worker.parts, RUN, steps)

    assert steps.records == {}
