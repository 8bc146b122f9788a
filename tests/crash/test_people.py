"""A worker killed while people have a say: what they approve, undo and cancel happens once. So does
what is taken back in calm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.decisions.approval import APPROVED
from service.domain.people import Person, Role
from tests.crash.stand import SHIPPED_LEASE_S, Stand, a_stand
from tests.crash.taking_up import adopted
from tests.databases import Databases
from tests.processes import ROOT
from tests.stack import alert, notification

pytestmark = pytest.mark.crash

RUN, NEXT, UNDO, RETURN = "api.out.1", "api.out.2", "api.person.1", "api.return.1"
OLGA = Person("olga", frozenset({Role.OPERATOR}))
PAUL = Person("paul", frozenset({Role.APPROVER}))


@pytest.fixture
def asking(tmp_path: Path, databases: Databases) -> Iterator[Stand]:
    """A stand whose rules ask a person before they change anything."""
    shipped = (ROOT / "rules" / "quizmentor.yml").read_text(encoding="utf-8")
    with (
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=f"mode: approve\n{shipped}") as stand,
    ):
        yield stand


@pytest.fixture
def calm(tmp_path: Path, databases: Databases) -> Iterator[Stand]:
    """A stand whose rules take back at once, once nobody asks any more."""
    shipped = (ROOT / "rules" / "quizmentor.yml").read_text(encoding="utf-8")
    quick = shipped.replace("after: 30m", "after: 1s").replace("settle: 5m", "settle: 0s")
    with databases.borrowed() as url, a_stand(tmp_path, url, rules=quick) as stand:
        yield stand


def approval_of(stand: Stand) -> str:
    """The one approval that waits."""
    (waiting,) = [each for each in stand.people.approvals(10) if each["state"] == "waiting"]
    return str(waiting["id"])


def died(stand: Stand, failpoint: str) -> None:
    """A worker is started and dies there. One that lost its lease before is started anew."""
    before = stand.killed()
    stand.worker(failpoint)
    stand.wait_for(lambda: stand.killed() > before, f"a worker to die at {failpoint}")


def ended(stand: Stand, run: str) -> None:
    stand.wait_for(lambda: stand.workflows().get(run) == "SUCCESS", f"run {run} to end")


def test_killed_between_asking_and_telling_it_has_asked_once_and_tells(asking: Stand) -> None:
    asking.fire("High CPU Usage")
    died(asking, "done:ask")
    asking.worker()
    ended(asking, RUN)
    assert len(asking.people.approvals(10)) == 1, asking.report()
    assert asking.runs() == {RUN: "waiting"}, asking.report()
    assert [said.startswith("Approve?") for said in asking.announcements()] == [True]
    assert asking.writes() == {}, asking.report()


def test_killed_right_before_the_approved_write_another_sends_it_once(asking: Stand) -> None:
    asking.fire("High CPU Usage")
    for _ in range(2):
        asking.worker("before:update_app")
    asking.wait_for(lambda: asking.runs().get(RUN) == "waiting", "the question")
    asking.people.decide(PAUL, approval_of(asking), APPROVED, "it is needed")
    asking.wait_for(lambda: asking.killed() == 1, "the worker to die before its write")
    ended(asking, NEXT)
    assert asking.runs() == {RUN: "held", NEXT: "succeeded"}, asking.report()
    assert asking.instances() == 3, asking.report()
    assert asking.writes() == {"update_app": 1}, asking.report()


def test_killed_after_the_write_of_an_undo_another_ends_it_without_a_second(
    stand: Stand,
) -> None:
    stand.fire("High CPU Usage")
    first = stand.worker(lease_s=SHIPPED_LEASE_S)
    ended(stand, RUN)
    assert stand.instances() == 3, stand.report()
    stand.end(first)
    stand.people.undo(OLGA, RUN, "it was not needed")
    adopted(stand, "after:update_app")
    ended(stand, UNDO)
    assert stand.runs() == {RUN: "succeeded", UNDO: "succeeded"}, stand.report()
    assert stand.instances() == 2, stand.report()
    assert stand.writes() == {"update_app": 2}, stand.report()


def test_killed_after_the_write_of_a_return_another_ends_it_without_a_second(
    calm: Stand,
) -> None:
    calm.fire("High CPU Usage")
    first = calm.worker(lease_s=SHIPPED_LEASE_S)
    ended(calm, RUN)
    calm.end(first)
    calm.deliver("alertmanager", notification(alert("High CPU Usage", status="resolved")))
    adopted(calm, "after:update_app")
    ended(calm, RETURN)
    assert calm.runs() == {RUN: "succeeded", RETURN: "succeeded"}, calm.report()
    assert calm.instances() == 2, calm.report()
    assert calm.writes() == {"update_app": 2}, calm.report()


def test_killed_after_a_cancel_was_recorded_the_run_stops_where_it_is_and_pages_nobody(
    stand: Stand,
) -> None:
    stand.fire("High CPU Usage")
    died(stand, "recorded:update_app")
    stand.people.cancel(OLGA, RUN, "the exam is off")
    died(stand, "done:make_safe")
    stand.worker()
    ended(stand, RUN)
    assert stand.runs() == {RUN: "cancelled"}, stand.report()
    assert stand.instances() == 3, stand.report()
    assert stand.writes() == {"update_app": 1}, stand.report()
    assert stand.page_count() == 0, stand.report()
