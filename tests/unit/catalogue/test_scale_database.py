from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.planning import PlanHeld
from service.domain.errors import FailureKind, FencedOut, StepFailed, VendorError
from service.ports.supabase import ComputeState
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.faults import vendor_error
from tests.fakes.runs import DATABASE, FakeRun, planned, request_for, works_on

ASK = request_for("scale_database", DATABASE)


def prepared(mute: VendorError | None = None) -> tuple[FakeClock, FakeDatabase, FakeRun]:
    clock = FakeClock()
    database = FakeDatabase(clock, mute=mute)
    return clock, database, planned(works_on(clock, database=database), ASK, clock)


def test_the_project_is_healthy_at_the_next_size() -> None:
    _, database, run = prepared()
    records = run.execute()
    assert (database.variant, database.status) == ("ci_small", "ACTIVE_HEALTHY")
    assert database.writes.effective == ["resize"]
    assert records["verify"] == {"variant": "ci_small", "healthy": ["db", "pooler"]}


@pytest.mark.parametrize("begins_s", [0.0, 1.0, 10.0])
def test_a_resize_whose_answer_never_came_is_looked_up_and_not_sent_again(begins_s: float) -> None:
    _, database, run = prepared()
    database.begins_s = begins_s
    database.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert database.writes.effective == ["resize"]
    assert database.variant == "ci_small"


def test_a_resize_without_effect_is_sent_again() -> None:
    _, database, run = prepared()
    database.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert database.writes.effective == ["resize"]
    assert database.writes.sent == 2


def test_a_project_that_already_has_the_size_is_not_taken_down() -> None:
    _, database, run = prepared()
    database.variant = "ci_small"
    run.execute()
    assert database.writes.sent == 0


def test_a_size_that_a_person_chose_is_not_overwritten() -> None:
    _, database, run = prepared()
    database.variant = "ci_medium"
    with pytest.raises(StepFailed, match=r"A person changed .* ci_medium now"):
        run.execute()
    assert database.writes.sent == 0


def test_a_resize_of_somebody_else_is_let_through_and_then_seen() -> None:
    clock, database, run = prepared()
    database.start("ci_medium")
    clock.sleep(5)
    with pytest.raises(StepFailed, match="ci_medium now"):
        run.step("resize")
    assert database.writes.sent == 0


def test_a_restart_under_way_is_let_through_before_the_resize() -> None:
    clock, database, run = prepared()
    ends = clock.time() + 60
    database.status = "RESTARTING"
    database.healthy_at = ends
    run.execute()
    assert clock.time() >= ends + database.takes_s
    assert database.resized_while == ["ACTIVE_HEALTHY"]


def test_a_project_that_never_gets_healthy_before_the_resize_is_left_alone() -> None:
    _, database, run = prepared()
    database.status = "RESTARTING"
    with pytest.raises(StepFailed, match="RESTARTING at ci_micro for 15 minutes, so no resize"):
        run.step("resize")
    assert database.writes.sent == 0


def test_a_size_that_a_person_chooses_during_the_resize_is_noticed() -> None:
    clock, database, run = prepared()
    run.step("resize")
    database.start("ci_medium")
    began = clock.time()
    with pytest.raises(StepFailed, match="ci_medium now"):
        run.step("await_healthy")
    assert clock.time() - began < 200


@pytest.mark.parametrize("seconds", [0.1, 5, 14])
def test_an_effect_that_shows_late_is_waited_for_and_not_sent_again(seconds: float) -> None:
    _, database, run = prepared()
    database.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    database.writes.late[0] = seconds
    run.execute()
    assert database.writes.effective == ["resize"]


def test_a_project_that_has_not_gone_down_yet_is_not_taken_for_done() -> None:
    clock, database, run = prepared()
    database.begins_s = 8.0
    run.step("resize")
    database.variant = "ci_small"  # the add-on shows at once, the restart follows
    run.step("await_healthy")
    assert clock.time() >= database._ends


def test_a_project_that_never_gets_healthy_is_told_with_its_status() -> None:
    _, database, run = prepared()
    database.takes_s = 1e9
    with pytest.raises(StepFailed, match="is RESIZING at ci_micro after 15 minutes"):
        run.execute()


def test_services_that_do_not_answer_fail_the_verification() -> None:
    _, database, run = prepared()
    database.ill = {"pooler"}
    with pytest.raises(StepFailed, match="pooler: does not answer"):
        run.execute()


def test_a_former_execution_sends_nothing() -> None:
    _, database, run = prepared()
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("resize")
    assert database.writes.sent == 0


def test_a_project_that_is_not_healthy_holds_the_plan() -> None:
    _, database, run = prepared()
    database.status = "RESTARTING"
    held = run.works.plan(ASK)
    assert isinstance(held, PlanHeld)
    assert held.guard == "project_status"
    assert held.retry_after_s is not None


def test_after_a_failure_the_project_is_described() -> None:
    _, _, run = prepared()
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert said == (
        "Project project-1 is ACTIVE_HEALTHY at ci_micro now (before: ci_micro, wanted: ci_small)."
    )


class EarlyDatabase(FakeDatabase):
    """Shows the new size as soon as it was ordered, as the vendor does."""

    def get(self, project: str) -> ComputeState:
        state = FakeDatabase.get(self, project)
        return replace(state, variant="ci_small") if self.resized_while else state


def test_a_restart_that_comes_long_after_the_answer_is_waited_for_and_proved() -> None:
    clock = FakeClock()
    database = EarlyDatabase(clock, begins_s=100.0)
    run = planned(works_on(clock, database=database), ASK, clock)
    began = clock.time()
    records = run.execute()
    assert records["await_healthy"]["proof"] == "the database says that it was started anew"
    assert clock.time() - began >= 100.0


@pytest.mark.parametrize("kind", [FailureKind.PERMANENT, FailureKind.TEMPORARY])
def test_where_the_database_cannot_be_asked_the_projects_status_is_believed_and_it_is_told(
    kind: FailureKind,
) -> None:
    _, _, run = prepared(mute=vendor_error(kind, "no scope", status=403))
    records = run.execute()
    assert records["await_healthy"]["proof"].startswith("not by the database: ")
    assert records["await_healthy"]["variant"] == "ci_small"


def test_a_token_that_loses_its_scope_meanwhile_is_told_and_the_status_is_believed() -> None:
    _, database, run = prepared()
    run.step("resize")
    database.mute = vendor_error(FailureKind.PERMANENT, "no scope", status=403)
    proof = run.step("await_healthy")["proof"]
    assert proof.startswith("not by the database: ")
    assert any("can't be asked whether it has restarted" in said for said in run.context.told)
