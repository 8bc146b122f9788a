"""A worker asks for pauses, locks, limits and cancellations up to its first write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control
from service.domain.decisions.decision import Check
from service.domain.decisions.policy import SHADOW, Freeze, Policy
from service.domain.decisions.requests import PERSON, Origin
from service.domain.errors import FailureKind
from service.domain.windows import Window
from service.engine.again import RESERVED_S, AgainRound
from tests.fakes.alerts import CPU, alert, delivery
from tests.fakes.engine import FakeWorker, Meanwhile
from tests.fakes.faults import vendor_error
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER)
RUN = ASK.id


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


def pause(worker: FakeWorker, kind: str = PAUSE, by: str = "anna", for_s: float = 900.0) -> Control:
    now = worker.clock.time()
    control = Control("p-1", kind, by, "the vendor is down", now, now + for_s, "worker-vm")
    worker.controls.rows.append(control)
    return control


def test_a_pause_holds_a_queued_run_which_keeps_no_claim_and_is_due_at_its_end(
    worker: FakeWorker,
) -> None:
    control = pause(worker)
    worker.execute(ASK)
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.due_at) == ("held", control.until)
    assert outcome.cooldown_until == worker.clock.time()
    assert worker.runs.again == []
    assert worker.change.value == "small"
    assert "paused until" in outcome.reason


def test_what_a_pause_holds_is_told_with_when_it_is_looked_at_again(worker: FakeWorker) -> None:
    pause(worker)
    worker.execute(ASK)
    (said,) = worker.said()
    assert "by anna: the vendor is down" in said
    assert "It is looked at again in 15 min" in said


def test_a_freeze_window_holds_a_queued_run(worker: FakeWorker) -> None:
    request = replace(ASK, policy=Policy(freezes=(Freeze(Window()),)))
    worker.execute(request)
    assert worker.runs.outcomes[RUN].status == "held"
    assert "frozen until" in worker.runs.outcomes[RUN].reason


def test_a_pause_between_the_look_and_the_first_write_holds_the_run(worker: FakeWorker) -> None:
    until = worker.clock.time() + 900.0
    worker.runs.holds = Check("paused", passed=False, saw="worker-vm is paused", until=until)
    worker.execute(ASK)
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.due_at) == ("held", until)
    assert worker.change.value == "small"
    assert not worker.runs.wrote(RUN), "the intent was withdrawn"
    assert worker.pager.open == {}


def test_a_limit_that_is_reached_holds_the_run_and_pages_once(worker: FakeWorker) -> None:
    saw = "6 changes of all targets within 1 h; 6 are allowed"
    until = worker.clock.time() + 3_600.0
    worker.runs.holds = Check("blast_radius", passed=False, saw=saw, until=until)
    worker.execute(ASK)
    (page,) = worker.pager.open.values()
    assert saw in page.summary
    assert worker.runs.outcomes[RUN].due_at == until


def test_a_run_is_asked_about_its_first_write_only(worker: FakeWorker) -> None:
    worker.execute(ASK)
    assert worker.runs.entered == [RUN]
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_a_lock_holds_everybody_but_its_owner(worker: FakeWorker) -> None:
    pause(worker, LOCK, by="anna")
    bob = replace(ASK, id="worker-vm.person.1", origin=Origin(PERSON, "bob", "it is slow"))
    anna = replace(ASK, id="worker-vm.person.2", origin=Origin(PERSON, "anna", "it is slow"))
    worker.execute(ASK)
    worker.execute(bob)
    worker.execute(anna)
    statuses = {run: outcome.status for run, outcome in worker.runs.outcomes.items()}
    assert statuses == {RUN: "held", bob.id: "held", anna.id: "succeeded"}


def test_a_person_may_pass_over_a_pause_and_a_freeze_window_but_not_over_a_lock(
    worker: FakeWorker,
) -> None:
    pause(worker)
    frozen = Policy(freezes=(Freeze(Window()),))
    request = replace(
        ASK, origin=Origin(PERSON, "bob", "it is slow"), policy=frozen, override="I know of it"
    )
    worker.execute(replace(request, id="worker-vm.person.1"))
    pause(worker, LOCK)
    worker.execute(replace(request, id="worker-vm.person.2"))
    assert worker.runs.outcomes["worker-vm.person.1"].status == "succeeded"
    assert worker.runs.outcomes["worker-vm.person.2"].status == "held"


def test_a_person_does_not_wait_for_the_target_to_settle(worker: FakeWorker) -> None:
    worker.runs.settles["worker-vm"] = worker.clock.time() + 200.0
    worker.execute(replace(ASK, origin=Origin(PERSON, "bob", "it is slow")))
    assert worker.runs.outcomes[RUN].status == "succeeded"


# ---- Cancelled ----


def test_a_run_that_is_cancelled_before_it_began_changes_nothing_and_pages_nobody(
    worker: FakeWorker,
) -> None:
    worker.runs.cancels[RUN] = "anna has cancelled it: wrong target"
    worker.execute(ASK)
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.reason) == ("cancelled", "anna has cancelled it: wrong target")
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.change.value == "small"
    assert worker.pager.open == {}


def test_a_run_that_is_cancelled_between_two_steps_stops_there_and_says_what_was_done(
    worker: FakeWorker,
) -> None:
    def cancel() -> None:
        worker.runs.cancels[RUN] = "anna has cancelled it: wrong target"

    worker.change.before_write = cancel
    worker.execute(ASK)
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "cancelled"
    assert outcome.reason.startswith("anna has cancelled it: wrong target.")
    assert worker.change.value == "large", "the write that was under way has taken effect"
    assert worker.pager.open == {}
    assert "anna has cancelled it" in worker.said()[-1]


# ---- In shadow ----


def test_what_is_cancelled_while_its_vendor_is_busy_is_not_tried_again(worker: FakeWorker) -> None:
    worker.change.unseen = vendor_error(FailureKind.TEMPORARY, retry_after=120.0)
    said = {RUN: "anna has cancelled it: wrong target"}
    cancels = lambda: worker.runs.cancels.update(said)  # noqa: E731 - what happens, in one line
    worker.execute(ASK, Meanwhile(before="conclude", happens=cancels))
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.reason) == ("cancelled", said[RUN])
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.runs.again == []
    assert any(said[RUN] in each for each in worker.said())


def test_a_run_in_shadow_tells_what_it_would_have_changed_and_changes_nothing(
    worker: FakeWorker,
) -> None:
    worker.execute(replace(ASK, policy=Policy(SHADOW)))
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "shadow"
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s
    assert worker.change.value == "small"
    assert worker.runs.entered == []
    assert worker.locks.owners == {}
    (said,) = worker.said()
    assert said.startswith(
        "In shadow: worker-vm: size small → large | This would have been changed"
    )


# ---- Judged again ----


def test_alerts_are_judged_again_at_the_moment_at_which_they_are_due(worker: FakeWorker) -> None:
    due = replace(delivery(alert(CPU)), kept_as="n-1")
    at = worker.clock.time() + 3.0
    worker.due.waiting.append((at, due))
    AgainRound(worker.parts)(True)
    assert [each.kept_as for each in worker.due.judged] == ["n-1"]
    assert worker.clock.time() == at


def test_alerts_that_are_due_later_wait_for_a_later_round(worker: FakeWorker) -> None:
    worker.due.waiting.append((worker.clock.time() + 60.0, delivery(alert(CPU))))
    before = worker.clock.time()
    AgainRound(worker.parts)(True)
    assert (worker.due.judged, worker.clock.time()) == ([], before)


def test_alerts_whose_judge_dies_are_due_again_after_a_while(worker: FakeWorker) -> None:
    def die(_deliveries: object) -> None:
        raise ConnectionError("the database is gone")

    now = worker.clock.time()
    worker.due.waiting.append((now, replace(delivery(alert(CPU)), kept_as="n-1")))
    with pytest.raises(ConnectionError):
        AgainRound(replace(worker.parts, judge_again=die))(True)
    assert worker.due.next_due() == now + RESERVED_S


def test_a_round_ends_what_is_over(worker: FakeWorker) -> None:
    pause(worker, for_s=10.0)
    worker.clock.sleep(10.0)
    AgainRound(worker.parts)(True)
    assert worker.controls.rows == []


@pytest.mark.parametrize(("pin", "status"), [(True, "held"), (False, "succeeded")])
def test_a_hold_lets_alerts_add_but_where_it_is_pinned(
    worker: FakeWorker, pin: bool, status: str
) -> None:
    now = worker.clock.time()
    hold = Control("h-1", HOLD, "anna", "the exam", now, now + 900, "worker-vm", pin=pin)
    worker.controls.rows.append(hold)
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].status == status
