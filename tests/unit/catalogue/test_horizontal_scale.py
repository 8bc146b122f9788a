from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.steps import AppChange
from service.catalogue.app_platform.target import PRICES
from service.catalogue.spec import Tools
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import PlanHeld
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from tests.fakes.apps import SPEC, FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.notes import FakeNotes
from tests.fakes.runs import API, FakeRun, Works, planned, request_for, works_on
from tests.fakes.telling import FakeProbe

ASK = request_for("horizontal_scale", API)


def cloud() -> tuple[FakeClock, FakeApps, Works]:
    clock = FakeClock()
    apps = FakeApps(clock)
    return clock, apps, works_on(clock, apps=apps)


def set_count(apps: FakeApps, count: int) -> None:
    """What a person does at the control panel."""
    spec = deepcopy(apps.spec)
    spec["services"][0]["instance_count"] = count
    apps.deploy(spec)


def prepared() -> tuple[FakeClock, FakeApps, FakeRun]:
    clock, apps, works = cloud()
    return clock, apps, planned(works, ASK, clock)


def test_the_app_serves_with_one_replica_more_when_the_run_is_done() -> None:
    _, apps, run = prepared()
    records = run.execute()
    assert apps.running("api")["instance_count"] == 3
    assert records["update_app"] == {"deployment": "dep-1"}
    assert records["verify"] == {"instance_count": 3, "ready": 3}
    assert apps.writes.effective == ["update_app"]


def test_everything_else_in_the_spec_is_sent_back_as_it_was() -> None:
    _, apps, run = prepared()
    run.execute()
    expected = deepcopy(SPEC)
    expected["services"][0]["instance_count"] = 3
    assert apps.spec == expected


def test_what_somebody_else_changed_in_the_meantime_is_kept() -> None:
    _, apps, run = prepared()
    apps.spec["services"][1]["instance_count"] = 4
    run.execute()
    assert apps.running("web")["instance_count"] == 4
    assert apps.running("api")["instance_count"] == 3


def test_no_record_holds_a_secret() -> None:
    _, apps, works = cloud()
    run = planned(works, ASK, apps.clock)
    assert "EV[" not in repr(works.observe(ASK))
    assert "EV[" not in repr(run.execute())


def test_an_answer_that_never_came_is_looked_up_and_not_sent_again() -> None:
    _, apps, run = prepared()
    apps.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    records = run.execute()
    assert apps.writes.effective == ["update_app"]
    assert records["update_app"] == {"deployment": "dep-1", "seen": True}


@pytest.mark.parametrize("seconds", [0.1, 5, 14])
def test_an_effect_that_shows_late_is_waited_for_and_not_sent_again(seconds: float) -> None:
    _, apps, run = prepared()
    apps.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    apps.writes.late[0] = seconds
    run.execute()
    assert apps.writes.effective == ["update_app"]


def test_after_a_crash_our_own_deployment_is_not_waited_for_as_if_it_were_anothers() -> None:
    clock, apps, run = prepared()
    apps.takes_s = 1e9
    run.step("update_app")
    began = clock.time()
    assert run.step("update_app") == {"deployment": "dep-1", "seen": True}
    assert clock.time() == began


def test_a_write_without_effect_is_sent_again_after_the_time_to_settle() -> None:
    clock, apps, run = prepared()
    apps.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    began = clock.time()
    run.step("update_app")
    assert apps.writes.effective == ["update_app"]
    assert clock.time() - began >= Timings().settle_unknown_s


def test_a_write_that_never_answers_and_never_shows_is_given_up() -> None:
    _, apps, run = prepared()
    apps.writes.before.update({n: vendor_error(FailureKind.UNKNOWN) for n in range(9)})
    with pytest.raises(
        StepFailed, match="It was sent 3 times, and 15 s after the last time it had no effect"
    ):
        run.step("update_app")
    assert apps.writes.sent == 3


def test_a_temporary_refusal_is_retried_as_the_vendor_wishes() -> None:
    clock, apps, run = prepared()
    apps.writes.before[0] = vendor_error(FailureKind.TEMPORARY, retry_after=17)
    began = clock.time()
    run.step("update_app")
    assert apps.writes.effective == ["update_app"]
    assert clock.time() - began >= 17


def test_a_permanent_refusal_is_not_sent_twice() -> None:
    _, apps, run = prepared()
    apps.writes.before[0] = vendor_error(FailureKind.PERMANENT)
    with pytest.raises(VendorError):
        run.step("update_app")
    assert apps.writes.sent == 1


def test_each_sending_is_fenced_and_a_former_execution_sends_nothing() -> None:
    _, apps, run = prepared()
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("update_app")
    assert apps.writes.sent == 0


def test_a_retry_is_fenced_again() -> None:
    _, apps, run = prepared()
    apps.writes.before[0] = vendor_error(FailureKind.TEMPORARY)
    run.step("update_app")
    assert run.context.fences == 2


def test_a_count_that_a_person_set_since_is_not_overwritten() -> None:
    _, apps, run = prepared()
    set_count(apps, 7)
    with pytest.raises(StepFailed, match=r"A person changed .* was 2 .* is 7 now"):
        run.step("update_app")
    assert apps.specified("api")["instance_count"] == 7
    assert apps.writes.sent == 0


def test_a_count_that_a_person_took_back_is_not_set_again() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    run.records.clear()
    set_count(apps, 2)
    apps.clock.sleep(60)
    with pytest.raises(StepFailed, match="is 2 again, after deployment dep-1 had set it"):
        run.execute()
    assert apps.writes.effective == ["update_app"]


def test_autoscaling_switched_on_since_is_left_alone() -> None:
    _, apps, run = prepared()
    del apps.spec["services"][0]["instance_count"]
    apps.spec["services"][0]["autoscaling"] = {"min_instance_count": 2, "max_instance_count": 8}
    with pytest.raises(StepFailed, match="scaled by the vendor itself"):
        run.step("update_app")
    assert apps.writes.sent == 0


def test_a_count_that_a_person_already_set_as_wanted_needs_no_write() -> None:
    _, apps, run = prepared()
    set_count(apps, 3)
    run.execute()
    assert apps.writes.sent == 0
    assert apps.running("api")["instance_count"] == 3


def test_a_size_that_a_person_set_since_is_not_written_over_by_a_count() -> None:
    _, apps, run = prepared()
    spec = deepcopy(apps.spec)
    spec["services"][0] |= {"instance_count": 5, "instance_size_slug": "professional-m"}
    apps.deploy(spec)
    with pytest.raises(TargetChanged, match=r"instance_count .* is 5 now; instance_size_slug was"):
        run.step("update_app")
    assert apps.spec == spec
    assert apps.writes.sent == 0


@pytest.mark.parametrize("takes_s", [0, 1e9], ids=["over", "under way"])
def test_a_deployment_that_began_after_the_plan_asks_for_a_new_plan(takes_s: float) -> None:
    _, apps, run = prepared()
    apps.deploy(apps.spec, takes_s=takes_s)
    with pytest.raises(TargetChanged, match="Deployment dep-1 of app app-1 is not ours"):
        run.step("update_app")
    assert apps.writes.sent == 0
    assert run.intents == {}


def test_the_app_is_read_last_before_the_write() -> None:
    _, apps, run = prepared()
    apps.asked.clear()
    run.step("update_app")
    assert apps.asked[-3:] == ["list_deployments", "get_app", "update_app"]


def test_a_deployment_that_begins_while_the_plan_is_made_is_newer_than_the_plan() -> None:
    _, apps, works = cloud()
    apps.asked.clear()
    works.observe(ASK)
    assert apps.asked == ["instance_sizes", "list_deployments", "get_app"]


def test_a_slow_answer_is_not_written_from() -> None:
    _, apps, run = prepared()
    apps.slow_reads = [lambda: set_count(apps, 7)]
    with pytest.raises(TargetChanged, match="is 7 now"):
        run.step("update_app")
    assert apps.specified("api")["instance_count"] == 7
    assert apps.writes.sent == 0


def test_a_vendor_that_is_always_slow_is_written_to_after_three_looks() -> None:
    _, apps, run = prepared()
    apps.slow_reads = [lambda: None] * 9
    run.step("update_app")
    assert len(apps.slow_reads) == 6
    assert apps.writes.effective == ["update_app"]


def test_a_change_that_no_read_could_see_and_our_write_replaced_is_told_to_a_person() -> None:
    _, apps, run = prepared()
    run.context.on_fence = lambda: set_count(apps, 7)
    run.step("update_app")
    with pytest.raises(StepFailed, match=r"has overwritten deployment dep-1, .* set again what is"):
        run.execute()


@pytest.mark.parametrize("phase", ["ERROR", "CANCELED"])
def test_a_deployment_that_ends_badly_fails_with_its_phase(phase: str) -> None:
    _, apps, run = prepared()
    apps.outcome = phase
    with pytest.raises(StepFailed, match=f"dep-1 of app app-1 ended as {phase}"):
        run.execute()
    assert apps.running("api")["instance_count"] == 2


def test_a_deployment_that_takes_for_ever_fails_at_the_deadline() -> None:
    clock, apps, run = prepared()
    apps.takes_s = 1e9
    run.step("update_app")
    began = clock.time()
    with pytest.raises(StepFailed, match=r"dep-1 .* not active after 15 minutes"):
        run.step("await_deployment")
    assert 900 <= clock.time() - began < 920


def test_a_deployment_superseded_by_one_that_carries_our_count_is_followed() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    later = deepcopy(apps.spec)
    later["services"][1]["instance_count"] = 2
    apps.deploy(later)
    assert run.step("await_deployment") == {"deployment": "dep-2", "ready": 3}


def test_a_deployment_superseded_by_one_with_another_count_is_a_persons_wish() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    set_count(apps, 5)
    with pytest.raises(StepFailed, match=r"superseded by another in which .* is 5 .* a person"):
        run.step("await_deployment")
    assert apps.specified("api")["instance_count"] == 5


def test_the_vendor_may_be_out_of_reach_while_it_deploys() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    apps.reads_fail = 8
    assert run.step("await_deployment")["ready"] == 3


def test_replicas_that_do_not_come_up_fail_the_run_and_say_how_many_serve() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    apps.unready = 1
    with pytest.raises(StepFailed, match="2 of 3 of its replicas serve after 5 minutes"):
        run.step("await_deployment")


def test_a_count_changed_after_the_deployment_fails_the_verification() -> None:
    _, apps, run = prepared()
    run.step("update_app")
    run.step("await_deployment")
    set_count(apps, 4)
    with pytest.raises(StepFailed, match="is 4 now and not 3"):
        run.step("verify")


def test_the_health_address_is_asked_until_it_answers() -> None:
    clock = FakeClock()
    apps, probe = FakeApps(clock), FakeProbe("It answered 503.", times=3)
    target = replace(API, health_url="https://api.example/health")
    request = request_for("horizontal_scale", target)
    planned(works_on(clock, apps=apps, probe=probe), request, clock).execute()
    assert probe.checked == ["https://api.example/health"] * 4


def test_a_health_address_that_stays_ill_fails_the_run_with_what_it_said() -> None:
    clock = FakeClock()
    apps, probe = FakeApps(clock), FakeProbe("It answered 503.", times=10_000)
    request = request_for("horizontal_scale", replace(API, health_url="https://api.example/h"))
    run = planned(works_on(clock, apps=apps, probe=probe), request, clock)
    with pytest.raises(StepFailed, match=r"health check failed .* It answered 503\."):
        run.execute()


def test_the_first_looks_follow_quickly_and_the_later_ones_slowly() -> None:
    clock, apps, run = prepared()
    apps.takes_s = 120
    run.step("update_app")
    clock.slept.clear()
    run.step("await_deployment")
    assert clock.slept[0] == 0.2
    assert max(clock.slept) == 5.0
    assert len(clock.slept) < 40


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (lambda apps: set_count(apps, 10), "max_replicas"),
        (lambda apps: apps.deploy(apps.spec, takes_s=60), "deployment_in_progress"),
        (lambda apps: apps.spec["services"].pop(0), "component"),
    ],
)
def test_what_was_observed_may_hold_the_plan(change: Callable[[FakeApps], Any], guard: str) -> None:
    _, apps, works = cloud()
    change(apps)
    if guard == "max_replicas":
        apps.clock.sleep(60)
    held = works.plan(ASK)
    assert isinstance(held, PlanHeld)
    assert held.guard == guard


def test_after_a_failure_the_app_is_described_and_left_alone() -> None:
    _, apps, run = prepared()
    apps.outcome = "ERROR"
    run.step("update_app")
    apps.clock.sleep(60)
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert "is 3 now (before: 2, wanted: 3); 2 replicas serve" in said
    assert apps.writes.effective == ["update_app"]


def test_an_unreadable_app_is_said_to_be_so() -> None:
    _, apps, run = prepared()
    apps.reads_fail = 10_000
    assert "How it was left is not known. " in run.works.make_safe(
        run.context, run.request, run.plan
    )


def observing() -> tuple[FakeClock, FakeApps, AppChange]:
    clock = FakeClock()
    apps = FakeApps(clock)
    tools = Tools(FakeProbe(), clock, notes=FakeNotes())
    return clock, apps, AppChange(apps, tools)


def test_the_vendors_list_of_sizes_is_asked_for_once_a_day() -> None:
    clock, apps, change = observing()
    for _ in range(3):
        assert change.observe(API)["sizes"]["professional-xs"]["price_monthly"] == 12.0
        clock.sleep(28_000.0)
    assert apps.asked.count("instance_sizes") == 1
    clock.sleep(3_000.0)
    change.observe(API)
    assert apps.asked.count("instance_sizes") == 2


def test_an_old_list_is_used_with_its_day_while_the_vendor_cannot_be_asked() -> None:
    clock, apps, change = observing()
    change.observe(API)
    clock.sleep(90_000.0)
    apps.price_list_away = vendor_error(FailureKind.TEMPORARY)
    seen = change.observe(API)
    assert seen["source"].startswith("DigitalOcean's list of 2026-0")
    assert seen["sizes"]["professional-s"]["price_monthly"] == 25.0


def test_without_any_list_a_component_is_planned_at_the_documented_prices() -> None:
    _, apps, change = observing()
    apps.price_list_away = vendor_error(FailureKind.PERMANENT)
    seen = change.observe(API)
    assert (seen["sizes"], seen["source"]) == ({}, PRICES.stand_in("it could not be asked"))
