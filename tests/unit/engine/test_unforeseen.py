"""Whatever a step raises, the run ends where people see it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.engine.late_pages import AGAIN_S, deliver
from service.engine.parts import LatePage
from service.engine.reconcile import reconcile
from service.ports import Page
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.runs import WORKER, request_for, telling_for
from tests.reliability import VendorSaw, scenario
from tests.unit.engine import test_pages

ASK = request_for("vertical_scale", WORKER)
RUN, CLAIM = ASK.id, "worker-vm.up"
REFUSED = StepFailed("change", "The vendor refused the size.")
MESSAGE = telling_for("investigate", "slow.notify.1", cooldown_s=3_600.0)


def bug() -> Exception:
    """What no step should raise."""
    return KeyError("a bug")


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


def _observing(worker: FakeWorker) -> None:
    worker.change.unseen = bug()


def _announcing(worker: FakeWorker) -> None:
    worker.messenger.problem = bug()


def _changing(worker: FakeWorker) -> None:
    worker.change.fails["change"] = bug()


def _verifying(worker: FakeWorker) -> None:
    worker.change.fails["verify"] = bug()


def _making_safe(worker: FakeWorker) -> None:
    worker.change.fails["change"] = REFUSED
    worker.change.unsafe = bug()


def _concluding(worker: FakeWorker) -> None:
    worker.runs.refuses = bug()


def _planning_an_unknown_step(worker: FakeWorker) -> None:
    worker.change.names = ("change", "a step of another version")


def _no_message_promises_anything(worker: FakeWorker) -> bool:
    return not any("Scaling because" in said for said in worker.said())


def _paged(worker: FakeWorker) -> list[str]:
    """The incidents that are open or on their way."""
    return [*worker.pager.open, *(late.page.dedup_key for late, _ in worker.late)]


@scenario(
    "Clocks, workers and mistakes of our own",
    "The step that announces a run raises an error that nobody expected.",
    "The run ends as failed with its full cooldown, and one page is sent. The same holds for every "
    "other step.",
)
def test_an_error_that_nobody_expected_ends_the_run_before_its_next_write(
    worker: FakeWorker, vendor_saw: VendorSaw
) -> None:
    _announcing(worker)
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].status == "failed"
    assert _paged(worker) == [run_dedup_key(RUN)]
    vendor_saw(worker.change.changes)


@pytest.mark.parametrize(
    "breaks",
    [
        _observing,
        _announcing,
        _changing,
        _verifying,
        _making_safe,
        _concluding,
        _planning_an_unknown_step,
    ],
)
def test_a_scaling_run_that_raises_anything_anywhere_fails_rests_and_pages_once(
    worker: FakeWorker, breaks: Callable[[FakeWorker], None]
) -> None:
    breaks(worker)

    worker.execute(ASK)

    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "failed"
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.locks.cooldowns == {CLAIM: outcome.cooldown_until}
    assert worker.locks.owners == {}
    assert _paged(worker) == [run_dedup_key(RUN)]
    assert _no_message_promises_anything(worker)
    assert worker.runs.again == []
    assert worker.ended_because == []


def test_a_run_that_succeeded_and_cannot_report_it_stays_so_and_people_are_told(
    worker: FakeWorker,
) -> None:
    worker.pager.problem = bug()

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert _no_message_promises_anything(worker)
    ((late, _),) = worker.late
    assert late.page.summary.startswith(
        f"Run {RUN} has succeeded, but people could not be told as usual. "
        "Step report raised KeyError ('a bug')."
    )
    assert late.page.severity == "warning"
    assert worker.looks == []


def test_a_message_that_cannot_be_edited_keeps_no_run_from_its_end_and_its_page(
    worker: FakeWorker,
) -> None:
    worker.messenger.stuck = bug()
    _changing(worker)

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "failed"
    assert set(_paged(worker)) == {run_dedup_key(RUN)}


def test_the_page_of_a_run_that_went_wrong_has_its_links_and_the_command(
    worker: FakeWorker,
) -> None:
    _changing(worker)
    _concluding(worker)
    worker.execute(ASK)
    (page,) = [late.page for late, _ in worker.late]
    assert page.links[0][0] == ASK.target.console
    assert page.details["what to type"] == f"runbookd explain {RUN}"


def test_the_target_of_a_run_that_went_wrong_is_looked_at_again(worker: FakeWorker) -> None:
    _concluding(worker)
    worker.execute(ASK)
    assert worker.looks == [(RUN, "unforeseen.1", 0.0)]


def test_an_end_that_is_repeated_after_a_crash_pages_once(worker: FakeWorker) -> None:
    _observing(worker)
    steps = worker.execute(ASK)
    worker.execute(ASK, steps)
    assert len(worker.late) == 1


def test_an_error_that_was_recorded_before_a_crash_ends_the_run_too(worker: FakeWorker) -> None:
    steps = Recorder(records={"prepare": bug()})
    worker.execute(ASK, steps)
    assert worker.runs.outcomes[RUN].status == "failed"
    assert _paged(worker) == [run_dedup_key(RUN)]


def test_a_cooldown_beyond_all_time_is_no_run_under_way(worker: FakeWorker) -> None:
    worker.execute(request_for("vertical_scale", WORKER, cooldown_s=900_000 * 604_800.0))
    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert worker.runs.outcomes[RUN].cooldown_until < BUSY_UNTIL
    assert _paged(worker) == []


def test_the_text_of_an_error_cannot_spoil_what_is_stored_and_told(worker: FakeWorker) -> None:
    worker.change.unseen = ValueError("\x00\x1b[31m" + "x" * 2_000)
    worker.execute(ASK)
    reason = worker.runs.outcomes[RUN].reason
    assert reason.isprintable()
    assert len(reason) < 1_000


# ---- Runs that tell ----


@pytest.mark.parametrize("broken", ["pager", "conclude"])
def test_a_page_run_that_raises_anything_fails_and_is_paged_otherwise(
    worker: FakeWorker, broken: str
) -> None:
    request = test_pages.ASK
    worker.runs.add(request, partition=test_pages.KEY)
    worker.incidents.states[test_pages.KEY] = test_pages.incident(paged=False, firing=1)
    if broken == "pager":
        worker.pager.problem = bug()
    else:
        worker.runs.refuses = bug()

    worker.execute(request)

    assert worker.runs.outcomes[request.id].status == "failed"
    assert run_dedup_key(request.id) in _paged(worker)


@pytest.mark.parametrize("broken", ["messenger", "conclude"])
def test_a_message_run_that_raises_anything_fails_rests_and_pages(
    worker: FakeWorker, broken: str
) -> None:
    if broken == "messenger":
        worker.messenger.problem = bug()
    else:
        worker.runs.refuses = bug()

    worker.execute(MESSAGE)

    outcome = worker.runs.outcomes[MESSAGE.id]
    assert (outcome.status, outcome.cooldown_until) == ("failed", worker.clock.time() + 3_600.0)
    assert _paged(worker) == [run_dedup_key(MESSAGE.id)]


# ---- What stands beside runs ----


@pytest.mark.parametrize(
    "problem", [bug(), VendorError("digitalocean", "read", FailureKind.TEMPORARY, "Away.")]
)
def test_a_fresh_look_that_goes_wrong_pages(worker: FakeWorker, problem: Exception) -> None:
    worker.execute(ASK)
    worker.change.unsafe = problem

    reconcile(worker.parts, RUN, Recorder())

    ((late, _),) = worker.late
    assert late.page.dedup_key == run_dedup_key(RUN)
    assert "could not be looked at again" in late.page.summary
    assert worker.locks.owners == {}


def test_a_queued_page_whose_try_raises_anything_is_tried_again(worker: FakeWorker) -> None:
    worker.pager.problem = bug()
    page = LatePage(Page("key", "It is off.", "runbookd", "critical"), worker.clock.time())

    deliver(worker.parts, page, Recorder())

    assert [(late.tries, delay_s) for late, delay_s in worker.late] == [(1, AGAIN_S)]
