"""Approvals: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.decisions.approval import (
    APPROVED,
    LAPSED,
    REJECTED,
    Approval,
    plan_hash,
)
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import PERSON, Origin
from service.domain.errors import StoreConflict
from service.ports.admission import NewRun
from service.ports.approvals import Approvals, Decided
from service.store.approvals import ApprovalStore
from service.store.bell import bell_of
from service.store.runs import RunStore
from tests.contract.admission import SqlDesk
from tests.fakes.alerts import CPU, NOW, alert, delivery
from tests.fakes.approvals import FakeApprovals
from tests.fakes.runs import API, request_for

RUN = request_for("horizontal_scale", API)
PLAN = Plan("replicas", "2", "3", ("update_app",), {"after": {}}, 24.0, 36.0, "No downtime.")
TERMS = Approval(("approver", "finance"), 900.0, "page")


def nothing(_connection: Any) -> None:
    """No record beside it."""


def store_of(engine: sa.Engine) -> tuple[ApprovalStore, SqlDesk]:
    """The store, with the run `api.out.1` that an alert has earned."""
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    return ApprovalStore(engine, desk._enqueue, bell_of(engine)), desk


@pytest.fixture(params=["fake", "sql"])
def approvals(request: pytest.FixtureRequest, engine: sa.Engine) -> Approvals:
    return FakeApprovals() if request.param == "fake" else store_of(engine)[0]


def asked(approvals: Approvals) -> str:
    approval = approvals.ask(RUN, PLAN, "rule a-rule is in mode approve", TERMS, NOW + 1)
    assert approval is not None
    return approval


def test_what_is_asked_waits_until_its_end(approvals: Approvals) -> None:
    approval = asked(approvals)
    (asking,) = approvals.waiting()
    assert (asking.id, asking.run, asking.state) == (approval, RUN.id, "waiting")
    assert (asking.plan, asking.plan_hash) == (PLAN, plan_hash("api", PLAN))
    assert (asking.terms, asking.asked_at, asking.until) == (TERMS, NOW + 1, NOW + 901)
    assert approvals.get(approval) == asking
    assert approvals.get("q-nothing") is None
    assert approvals.untold() == []


def test_a_run_that_asks_twice_has_asked_once(approvals: Approvals) -> None:
    assert asked(approvals) == asked(approvals)
    assert len(approvals.waiting()) == 1


def test_what_is_decided_waits_no_more_and_is_to_be_told(approvals: Approvals) -> None:
    approval = asked(approvals)
    decided = Decided(REJECTED, "paul", "too dear", NOW + 10)
    asking = approvals.decide(approval, decided, NOW + 610, nothing)
    assert asking is not None
    assert (asking.state, asking.decided_by, asking.decided_why) == ("rejected", "paul", "too dear")
    assert approvals.waiting() == []
    assert [each.id for each in approvals.untold()] == [approval]
    approvals.told(approval, NOW + 11)
    assert approvals.untold() == []
    assert [each["state"] for each in approvals.recent(5)] == ["rejected"]


def test_whoever_decides_first_has_decided(approvals: Approvals) -> None:
    approval = asked(approvals)
    first = Decided(REJECTED, "paul", "", NOW + 10)
    assert approvals.decide(approval, first, NOW + 610, nothing) is not None
    second = Decided(APPROVED, "ada", "", NOW + 11)
    assert approvals.decide(approval, second, NOW + 11, nothing) is None
    asking = approvals.get(approval)
    assert asking is not None
    assert (asking.state, asking.next_run) == ("rejected", None)


def test_what_is_approved_is_the_next_run_of_its_claim_bound_to_the_plan(
    engine: sa.Engine,
) -> None:
    approvals, desk = store_of(engine)
    approval = asked(approvals)
    assert desk.rows("SELECT status FROM runs") == [("waiting",)]
    assert desk.rows("SELECT until FROM cooldowns WHERE key = 'api.out'") == [(BUSY_UNTIL,)]
    asking = approvals.decide(approval, Decided(APPROVED, "paul", "", NOW + 10), NOW, nothing)
    assert asking is not None
    assert asking.next_run == "api.out.2"
    request = desk.queued[-1].request
    assert (request.id, request.parent) == ("api.out.2", "api.out.1")
    assert request.approved == plan_hash("api", PLAN)
    row = desk.rows("SELECT generation, until, run FROM cooldowns WHERE key = 'api.out'")
    assert row == [(2, BUSY_UNTIL, "api.out.2")]
    assert desk.rows("SELECT id, status FROM runs ORDER BY id") == [
        ("api.out.1", "held"),
        ("api.out.2", "queued"),
    ]


def test_a_persons_run_is_approved_although_others_have_asked_for_the_same_target_since(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    approvals = ApprovalStore(engine, desk._enqueue, bell_of(engine))
    runs = RunStore(engine, desk._enqueue)
    by_anna = replace(RUN, origin=Origin(PERSON, "anna", "exams"), claim="api.person")

    def asks() -> str:
        made = lambda run: NewRun(replace(by_anna, id=run), "do-app:app-1", NOW)  # noqa: E731 - the id is the store's
        return runs.ask("api.person", made, nothing)

    first = replace(by_anna, id=asks())
    approval = approvals.ask(first, PLAN, "over budget", TERMS, NOW + 1)
    assert approval is not None
    assert asks() == "api.person.2"
    asking = approvals.decide(approval, Decided(APPROVED, "paul", "", NOW + 10), NOW, nothing)
    assert asking is not None
    assert asking.next_run == "api.person.3"
    assert desk.queued[-1].request.parent == first.id


def test_what_a_person_has_cancelled_is_not_asked(engine: sa.Engine) -> None:
    approvals, desk = store_of(engine)
    runs = RunStore(engine, desk._enqueue)
    assert runs.cancel(RUN.id, "anna", "wrong", NOW, nothing)
    with pytest.raises(StoreConflict):
        asked(approvals)
    assert runs.unfinished() == [RUN.id]
    assert approvals.waiting() == []


def test_while_it_waits_alerts_that_ask_for_the_same_are_held(engine: sa.Engine) -> None:
    approvals, desk = store_of(engine)
    asked(approvals)
    (decision,) = desk.verdicts(delivery(alert(CPU, "b"), at=NOW + 60))
    assert (decision.verdict, decision.guard) == ("hold", "in_progress")


@pytest.mark.parametrize(("state", "until"), [(REJECTED, NOW + 610), (LAPSED, NOW + 10)])
def test_what_is_not_approved_rests_and_queues_nothing(
    engine: sa.Engine, state: str, until: float
) -> None:
    approvals, desk = store_of(engine)
    before = len(desk.queued)
    approvals.decide(asked(approvals), Decided(state, "paul", "", NOW + 10), until, nothing)
    assert len(desk.queued) == before
    assert desk.rows("SELECT until FROM cooldowns WHERE key = 'api.out'") == [(until,)]


def test_a_decision_and_its_audit_are_kept_together_or_not_at_all(engine: sa.Engine) -> None:
    approvals, desk = store_of(engine)
    approval = asked(approvals)

    def refuse(_connection: sa.Connection) -> None:
        raise RuntimeError("the audit cannot be written")

    with pytest.raises(RuntimeError):
        approvals.decide(approval, Decided(APPROVED, "paul", "", NOW + 10), NOW, refuse)
    assert len(approvals.waiting()) == 1
    assert desk.rows("SELECT id FROM runs") == [("api.out.1",)]


def test_of_two_that_decide_at_once_one_does(engine: sa.Engine) -> None:
    approvals, desk = store_of(engine)
    approval = asked(approvals)
    barrier = threading.Barrier(4)

    def decide(number: int) -> bool:
        barrier.wait()
        state = APPROVED if number % 2 else REJECTED
        decided = Decided(state, f"person-{number}", "", NOW + 10)
        return approvals.decide(approval, decided, NOW + 610, nothing) is not None

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(decide, range(4))).count(True) == 1
    queued = [each.request.id for each in desk.queued if each.request.id == "api.out.2"]
    asking = approvals.get(approval)
    assert asking is not None
    assert (len(queued) == 1) is (asking.state == APPROVED)


def test_a_run_that_asked_counts_for_no_longer_wait(engine: sa.Engine) -> None:
    approvals, _desk = store_of(engine)
    runs = RunStore(engine, lambda _connection, _run: None)
    runs.set_plan("api.out.1", PLAN)
    asking = approvals.decide(
        asked(approvals), Decided(APPROVED, "paul", "", NOW + 10), NOW, nothing
    )
    assert asking is not None
    assert runs.fruitless_before("api.out.2", NOW - 100) == 0


def test_the_hash_is_of_what_a_person_reads_and_not_of_the_look() -> None:
    same = replace(PLAN, wanted={"last_deployment": "another"}, steps=("other",))
    assert plan_hash("api", same) == plan_hash("api", PLAN)
    changes: list[Callable[[], Plan]] = [
        lambda: replace(PLAN, after="4"),
        lambda: replace(PLAN, before="1"),
        lambda: replace(PLAN, price_after=37.0),
        lambda: replace(PLAN, downtime="2 minutes."),
    ]
    for change in changes:
        assert plan_hash("api", change()) != plan_hash("api", PLAN)
    assert plan_hash("web", PLAN) != plan_hash("api", PLAN)
