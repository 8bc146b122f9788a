"""Pages that the pager did not take at once, on a fake clock."""

from __future__ import annotations

import json

import pytest

from service.domain.errors import FailureKind, StoreUnavailable, VendorError
from service.engine.late_pages import AGAIN_S, GIVE_UP_S, deliver, dump_page, load_page
from service.engine.parts import LatePage
from service.ports import Page
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder

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
    assert load_page(json.loads(json.dumps(dump_page(PAGE)))) == PAGE


def test_a_pager_that_is_back_takes_the_page_and_slack_says_how_late(worker: FakeWorker) -> None:
    deliver(worker.parts, "p-1", late(worker, 600.0), Recorder())

    assert worker.pager.open == {PAGE.dedup_key: PAGE}
    assert worker.late == []
    assert worker.said() == [f"Paged late: {PAGE.summary} | The pager took it after 10 minutes."]


def test_a_page_that_did_not_wait_is_not_called_late(worker: FakeWorker) -> None:
    deliver(worker.parts, "p-1", late(worker, 0.0), Recorder())
    assert worker.said() == [f"Paged: {PAGE.summary} | The person on call was paged."]


def test_a_pager_that_is_still_away_is_tried_again_and_nobody_is_told_twice(
    worker: FakeWorker,
) -> None:
    worker.pager.problem = DOWN
    waiting = late(worker, 600.0)

    deliver(worker.parts, "p-1", waiting, Recorder())

    assert worker.late == [(waiting, AGAIN_S)]
    assert worker.said() == []


def test_after_an_hour_slack_says_that_nobody_was_paged(worker: FakeWorker) -> None:
    worker.pager.problem = DOWN

    deliver(worker.parts, "p-1", late(worker, GIVE_UP_S), Recorder())

    assert worker.late == []
    assert worker.said()[0].startswith(f"Nobody was paged: {PAGE.summary}")


def test_a_page_whose_record_is_lost_is_not_called_delivered(worker: FakeWorker) -> None:
    steps = Recorder(broken=StoreUnavailable("the database cannot be used now"))
    with pytest.raises(ProcessEnded):
        deliver(worker.parts, "p-1", late(worker, 0.0), steps)
    assert worker.said() == []
