"""A size that the vendor refuses for good: the droplet is on again, and nobody is paged twice."""

from __future__ import annotations

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import StepFailed
from service.engine.reports import blocked_key
from service.ports import Page
from service.ports.offs import ON, Resize, Sent
from tests.fakes.engine import ME, FakeWorker
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER)
AGAIN = request_for("vertical_scale", WORKER, id="worker-vm.up.2")
WORDS = "Size is too large to fit on your droplet's server."


@pytest.fixture
def worker() -> FakeWorker:
    """A worker whose vendor refuses the size to each run that tries it."""
    worker = FakeWorker()
    worker.change.fails["change"] = StepFailed("change", f"The vendor refused: {WORDS}")

    def refuse() -> None:
        run, now = list(worker.runs.rows)[-1], worker.clock.time()
        worker.offs.hold(Resize(run, WORKER.resource, "101", "large"), ME, now)
        worker.offs.sending(run, Sent("shutdown", 7), now)
        worker.offs.refused(run, WORDS)
        worker.offs.end(run, ON, now)

    worker.change.before_write = refuse
    return worker


def test_a_repeat_of_the_alert_does_not_take_the_droplet_down_again(worker: FakeWorker) -> None:
    worker.execute(ASK)
    worker.clock.sleep(2 * ASK.cooldown_s - 1)
    worker.execute(AGAIN)
    outcome = worker.runs.outcomes[AGAIN.id]
    assert outcome.status == "held"
    assert WORDS in outcome.reason
    assert worker.offs.get(AGAIN.id) is None


def test_a_refusal_rests_for_the_full_cooldown(worker: FakeWorker) -> None:
    worker.execute(ASK)
    outcome = worker.runs.outcomes[ASK.id]
    assert (outcome.status, outcome.cooldown_until) == (
        "failed",
        worker.clock.time() + ASK.cooldown_s,
    )


def test_however_many_runs_meet_a_refusal_it_is_one_incident(worker: FakeWorker) -> None:
    worker.execute(ASK)
    worker.clock.sleep(3 * ASK.cooldown_s)
    worker.execute(AGAIN)
    assert worker.runs.outcomes[AGAIN.id].status == "failed"
    assert list(worker.pager.open) == [blocked_key(ASK)]


def test_a_run_that_succeeds_later_closes_that_incident(worker: FakeWorker) -> None:
    worker.execute(ASK)
    worker.clock.sleep(3 * ASK.cooldown_s)
    worker.change.fails.clear()
    worker.change.before_write = lambda: None
    worker.execute(AGAIN)
    assert worker.pager.open == {}


def test_another_size_may_be_tried_meanwhile(worker: FakeWorker) -> None:
    worker.execute(ASK)
    worker.change.fails.clear()
    worker.change.before_write = lambda: None
    worker.change.wanted = "another"
    worker.execute(AGAIN)
    assert worker.runs.outcomes[AGAIN.id].status == "succeeded"


def test_a_page_of_the_watch_is_replaced_by_that_incident(worker: FakeWorker) -> None:
    refuse = worker.change.before_write

    def refuse_late() -> None:
        refuse()
        worker.pager.trigger(Page(run_dedup_key(ASK.id), "off", "runbookd", "critical"))

    worker.change.before_write = refuse_late
    worker.execute(ASK)
    assert list(worker.pager.open) == [blocked_key(ASK)]
