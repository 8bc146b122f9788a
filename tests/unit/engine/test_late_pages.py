"""Pages that the pager did not take at once, on a fake clock."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.domain.errors import FailureKind, StepFailed, StoreUnavailable, VendorError
from service.engine.late_pages import (
    AGAIN_S,
    GIVE_UP_S,
    deliver,
    dump_late,
    load_late,
    page_id,
)
from service.engine.parts import LatePage
from service.ports import Page
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import API, request_for

PAGE = Page(
    dedup_key="runbookd/run/api.out.1",
    summary="api: replicas 2 → 3 failed in verify",
    source="runbookd",
    severity="critical",
    component="api",
    details={"how the target was left": "It has 2 replicas."},
    links=(("https://example.com/runbook", "the runbook"),),
)
DOWN = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "It cannot be reached.")


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


def late(worker: FakeWorker, waited_s: float) -> LatePage:
    return LatePage(PAGE, worker.clock.time() - waited_s)


def test_a_page_is_the_same_after_the_queue() -> None:
    waiting = LatePage(PAGE, 12.5, 3, "api.out.1")
    assert load_late(json.loads(json.dumps(dump_late(waiting)))) == waiting


def test_a_page_that_an_earlier_version_queued_is_still_delivered(worker: FakeWorker) -> None:
    stored = dump_late(late(worker, 600.0))
    del stored["run"]
    deliver(worker.parts, load_late(json.loads(json.dumps(stored))), Recorder())
    assert worker.pager.open == {PAGE.dedup_key: PAGE}


def test_a_page_has_one_id_for_each_try_however_often_it_is_asked_for() -> None:
    first = LatePage(PAGE, 12.5)
    assert page_id(first) == page_id(LatePage(PAGE, 99.0))
    assert page_id(first) != page_id(LatePage(PAGE, 12.5, 1))
    assert page_id(first) != page_id(LatePage(replace(PAGE, summary="another"), 12.5))
    assert page_id(first) != page_id(LatePage(PAGE, 12.5, run="api.out.1"))


def test_a_pager_that_is_back_takes_the_page_and_slack_says_how_late(worker: FakeWorker) -> None:
    deliver(worker.parts, late(worker, 600.0), Recorder())

    assert worker.pager.open == {PAGE.dedup_key: PAGE}
    assert worker.late == []
    assert worker.said() == [f"Paged late: {PAGE.summary} | The pager took it after 10 min."]


def test_the_message_about_a_late_page_has_its_links_and_the_command(worker: FakeWorker) -> None:
    page = replace(PAGE, details={"what to type": "runbookd explain api.out.1"})
    deliver(worker.parts, replace(late(worker, 600.0), page=page), Recorder())
    (message,) = worker.messenger.messages.values()
    assert message.links == PAGE.links
    assert message.context == "`runbookd explain api.out.1`"


def test_a_page_that_did_not_wait_is_not_called_late(worker: FakeWorker) -> None:
    deliver(worker.parts, late(worker, 0.0), Recorder())
    assert worker.said() == [f"Paged: {PAGE.summary} | The person on call was paged."]


def test_a_pager_that_is_still_away_is_tried_again_and_nobody_is_told_twice(
    worker: FakeWorker,
) -> None:
    worker.pager.problem = DOWN
    waiting = late(worker, 600.0)

    deliver(worker.parts, waiting, Recorder())

    assert worker.late == [(replace(waiting, tries=1), AGAIN_S)]
    assert worker.said() == []


def test_after_an_hour_slack_says_that_nobody_was_paged(worker: FakeWorker) -> None:
    worker.pager.problem = DOWN

    deliver(worker.parts, late(worker, GIVE_UP_S), Recorder())

    assert worker.late == []
    assert worker.said()[0].startswith(f"Nobody was paged: {PAGE.summary}")


def test_a_page_whose_record_is_lost_is_not_called_delivered(worker: FakeWorker) -> None:
    steps = Recorder(broken=StoreUnavailable("the database cannot be used now"))
    with pytest.raises(ProcessEnded):
        deliver(worker.parts, late(worker, 0.0), steps)
    assert worker.said() == []


FAILED, LATER = (request_for("horizontal_scale", API, id=f"api.out.{n}") for n in (1, 2))


def waiting_for(worker: FakeWorker) -> LatePage:
    """The page of a run that failed while the pager was away."""
    worker.change.fails["change"] = StepFailed("change", "The vendor refused.")
    worker.pager.problem = DOWN
    worker.execute(FAILED)
    worker.change.fails.clear()
    ((waiting, _),) = worker.late
    worker.late.clear()
    worker.pager.problem = None
    return waiting


def test_a_queued_page_whose_target_succeeded_since_opens_nothing(worker: FakeWorker) -> None:
    waiting = waiting_for(worker)
    worker.execute(LATER)
    tries = worker.pager.tries

    deliver(worker.parts, waiting, Recorder())

    assert worker.pager.tries == tries
    assert worker.pager.open == {}
    assert worker.late == []
    assert not any("Paged" in said for said in worker.said())


def test_a_run_that_succeeds_while_the_page_is_on_its_way_closes_it_all_the_same(
    worker: FakeWorker,
) -> None:
    waiting = waiting_for(worker)

    def succeed() -> None:
        worker.pager.hangs = lambda: None
        worker.execute(LATER)

    worker.pager.hangs = succeed
    deliver(worker.parts, waiting, Recorder())

    assert worker.runs.outcomes[LATER.id].status == "succeeded"
    assert worker.pager.open == {}


def test_a_queued_page_of_a_target_that_failed_again_is_delivered(worker: FakeWorker) -> None:
    waiting = waiting_for(worker)
    worker.change.fails["change"] = StepFailed("change", "The vendor refused.")
    worker.execute(LATER)

    deliver(worker.parts, waiting, Recorder())

    assert waiting.page.dedup_key in worker.pager.open


def test_an_incident_that_is_over_is_closed_as_soon_as_the_pager_is_back(
    worker: FakeWorker,
) -> None:
    waiting = waiting_for(worker)
    worker.execute(LATER)
    worker.pager.open[waiting.page.dedup_key] = waiting.page
    worker.pager.problem = DOWN
    deliver(worker.parts, waiting, Recorder())
    ((again, delay_s),) = worker.late
    assert (again.tries, delay_s) == (1, AGAIN_S)

    worker.pager.problem = None
    deliver(worker.parts, again, Recorder())

    assert worker.pager.open == {}
