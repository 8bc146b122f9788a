"""A rule in mode approve asks before it changes anything, and nobody waits inside a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.catalogue.digitalocean_account.target import AccountTarget
from service.domain.decisions.approval import ACT, APPROVED, HOLD, PAGE, Approval
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import APPROVE, Policy
from service.domain.decisions.requests import JOB, PERSON, Origin
from service.engine.approvals import ApprovalRound, ask
from service.ports.approvals import Decided
from tests.fakes.engine import FakeWorker, Meanwhile
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER, policy=Policy(APPROVE))
RUN = ASK.id


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


def asking(worker: FakeWorker, otherwise: str = HOLD) -> None:
    terms = Approval(otherwise=otherwise)
    worker.execute(replace(ASK, policy=Policy(APPROVE, approval=terms)))


def approve(worker: FakeWorker) -> None:
    decided = Decided(APPROVED, "paul", "fine", worker.clock.time())
    worker.approvals.decide("q-1", decided, 0.0, lambda _: None)


def test_it_asks_with_the_plan_the_price_and_what_to_type_and_changes_nothing(
    worker: FakeWorker,
) -> None:
    asking(worker)
    assert worker.change.value == "small"
    assert [each.run for each in worker.approvals.waiting()] == [RUN]
    (message,) = worker.messenger.messages.values()
    assert message.title == "Approve? worker-vm: size small → large"
    assert "It waits until in 15 min" in message.text
    assert "If nobody decides by then, it is not done." in message.text
    assert ("Approve", "runbookd approve q-1") in list(message.fields)
    assert ("May decide", "approver") in list(message.fields)
    assert worker.locks.owners == {}, "the lock is given back"


def test_what_was_approved_is_done_when_the_plan_is_still_the_same(worker: FakeWorker) -> None:
    asking(worker)
    approve(worker)
    (following,) = worker.approvals.started
    worker.execute(following)
    assert worker.runs.outcomes[following.id].status == "succeeded"
    assert worker.change.value == "large"


def test_another_plan_is_asked_for_again(worker: FakeWorker) -> None:
    asking(worker)
    approve(worker)
    worker.change.value = "medium"
    (following,) = worker.approvals.started
    worker.execute(following)
    assert worker.change.value == "medium"
    (again,) = worker.approvals.waiting()
    assert again.run == following.id
    assert again.why.startswith("what was approved has changed meanwhile")


def test_what_a_person_asks_for_needs_no_approval(worker: FakeWorker) -> None:
    worker.execute(replace(ASK, origin=Origin(PERSON, "olga", "it is slow")))
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_the_question_says_how_it_was_decided(worker: FakeWorker) -> None:
    asking(worker)
    approve(worker)
    ApprovalRound(worker.parts)(True)
    (said,) = worker.said()
    assert said.startswith("Approved: worker-vm: size small → large | Approved by paul: fine (now")
    assert "Run worker-vm.up.2 looks again" in said
    ApprovalRound(worker.parts)(True)
    assert worker.approvals.untold() == []


def test_what_a_person_has_cancelled_meanwhile_is_not_asked(worker: FakeWorker) -> None:
    said = {RUN: "anna has cancelled it: wrong"}
    worker.execute(ASK, Meanwhile(before="ask", happens=lambda: worker.runs.cancels.update(said)))
    assert worker.approvals.waiting() == []
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.reason) == ("cancelled", "anna has cancelled it: wrong")
    assert outcome.cooldown_until == worker.clock.time() + ASK.cooldown_s


def test_it_lapses_when_no_alert_asks_for_it_any_more_and_frees_its_claim(
    worker: FakeWorker,
) -> None:
    asking(worker)
    worker.runs.open.clear()
    ApprovalRound(worker.parts)(True)
    assert worker.approvals.rows["q-1"].state == "lapsed"
    assert worker.approvals.rests["worker-vm.up"] == worker.clock.time()
    assert "Lapsed: worker-vm" in worker.said()[0]


def test_before_its_end_nothing_is_decided(worker: FakeWorker) -> None:
    asking(worker)
    worker.clock.sleep(899.0)
    ApprovalRound(worker.parts)(True)
    assert worker.approvals.rows["q-1"].state == "waiting"


@pytest.mark.parametrize(
    ("otherwise", "state", "pages"),
    [(HOLD, "timed_out", 0), (PAGE, "timed_out", 1), (ACT, "approved", 0)],
)
def test_when_nobody_decides_in_time_the_rule_says_what_follows(
    worker: FakeWorker, otherwise: str, state: str, pages: int
) -> None:
    asking(worker, otherwise)
    worker.clock.sleep(900.0)
    ApprovalRound(worker.parts)(True)
    assert worker.approvals.rows["q-1"].state == state
    assert len(worker.pager.open) == pages
    assert len(worker.approvals.started) == (1 if otherwise == ACT else 0)
    if otherwise != ACT:
        rests = worker.approvals.rests["worker-vm.up"]
        assert rests == worker.clock.time() + ASK.cooldown_s


def test_what_is_only_done_by_approval_is_never_done_because_nobody_decided(
    worker: FakeWorker,
) -> None:
    asking(worker, ACT)
    (waiting,) = worker.approvals.waiting()
    removal = request_for("remove_unused", AccountTarget("account"))
    row = worker.approvals.rows[waiting.id]
    worker.approvals.rows[waiting.id] = replace(row, request=replace(removal, id=RUN))
    worker.clock.sleep(900.0)
    ApprovalRound(worker.parts)(True)
    assert worker.approvals.rows[waiting.id].state == "timed_out"
    assert worker.approvals.started == []


def test_the_page_of_what_nobody_decided_says_what_to_type(worker: FakeWorker) -> None:
    asking(worker, PAGE)
    worker.clock.sleep(900.0)
    ApprovalRound(worker.parts)(True)
    (page,) = worker.pager.open.values()
    assert "was not approved: nobody decided within 15 min" in page.summary
    assert page.details["what to type"] == f"runbookd retry {RUN}"


@pytest.mark.parametrize("kind", [PERSON, JOB])
def test_what_is_only_done_by_approval_waits_a_day_for_a_person(
    worker: FakeWorker, kind: str
) -> None:
    removal = request_for("remove_unused", AccountTarget("account"), origin=Origin(kind, "x", "y"))
    plan = Plan("unused", "1", "0", (), {}, asks="each removal is approved")
    told = ask(removal, plan, plan.asks, worker.parts)
    assert told["until"] == worker.clock.time() + 86_400
    scaling = replace(ASK, origin=removal.origin)
    assert ask(scaling, plan, "why", worker.parts)["until"] == worker.clock.time() + 900
