"""Pages that the pager did not take at once, on a fake clock."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.domain.errors import FailureKind, StoreUnavailable, VendorError
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
    waiting = LatePage(PAGE, 12.5, 3)
    assert load_late(json.loads(json.dumps(dump_late(waiting)))) == waiting


def test_a_page_has_one_id_for_each_try_however_often_it_is_asked_for() -> None:
    first = LatePage(PAGE, 12.5)
    assert page_id(first) == page_id(LatePage(PAGE, 99.0))
    assert page_id(first) != page_id(LatePage(PAGE, 12.5, 1))
    assert page_id(first) != page_id(LatePage(replace(PAGE, summary="another"), 12.5))


def test_a_pager_that_is_back_takes_the_page_and_slack_says_how_late(worker: FakeWorker) -> None:
    deliver(worker.parts, late(worker, 600.0), Recorder())

    assert worker.pager.open == {PAGE.dedup_key: PAGE}
    assert worker.late == []
    assert worker.said() == [f"Paged late: {PAGE.summary} | The pager took it after 10 minutes."]


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
