from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import PlanHeld
from service.domain.errors import FailureKind, FencedOut, StepFailed, StoreUnavailable, VendorError
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.runs import ASK_DROPLET as ASK
from tests.fakes.runs import (
    WORKER,
    FakeRun,
    before_the_section,
    planned,
    prepared,
    request_for,
    works_on,
)
from tests.fakes.telling import FakeProbe

IN_ORDER = ["snapshot", "shutdown", "resize", "power_on"]


def test_the_droplet_is_on_at_the_next_size_with_a_snapshot_from_before() -> None:
    _, droplets, run = prepared()
    records = run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")
    assert droplets.writes.effective == IN_ORDER
    assert droplets.snapshots == [records["snapshot"]["snapshot"]]
    assert records["verify"]["size"] == "s-1vcpu-2gb"


def test_the_snapshots_name_has_the_day_of_the_intent_and_the_run() -> None:
    clock, droplets, run = prepared()
    day = datetime.fromtimestamp(clock.time(), UTC).strftime("%Y%m%d")
    run.step("snapshot")
    assert droplets.snapshots == [f"pre-scale-{day}-worker-vm.up.1"]


def test_a_repeat_after_midnight_finds_the_snapshot_of_the_day_before() -> None:
    clock, droplets, run = prepared()
    run.step("snapshot")
    run.records.clear()
    clock.sleep(86_400)
    run.execute()
    assert len(droplets.snapshots) == 1
    assert droplets.writes.effective == IN_ORDER


def test_a_snapshot_under_way_is_waited_for_and_not_taken_again() -> None:
    clock, droplets, run = prepared()
    run.intents["snapshot"] = clock.time()
    name = run.step("snapshot")["snapshot"]
    droplets.snapshots.clear()
    droplets.start("snapshot", name=name)
    run.records.clear()
    run.step("snapshot")
    assert droplets.snapshots == [name]
    assert droplets.writes.effective == ["snapshot"]


def test_a_snapshot_that_is_complete_but_not_listed_yet_is_waited_for_after_a_crash() -> None:
    clock, droplets, run = prepared()
    droplets.listing_lag_s = 40
    droplets.writes.after[0] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    clock.sleep(15)
    run.execute()
    assert droplets.writes.effective == IN_ORDER


def test_a_snapshot_may_take_three_minutes_for_each_gigabyte_of_the_disk() -> None:
    _, droplets, run = prepared()
    droplets.takes["snapshot"] = 70 * 60
    assert run.step("snapshot")["snapshot"] == droplets.snapshots[0]
    _, droplets, run = prepared()
    droplets.takes["snapshot"] = 80 * 60
    with pytest.raises(StepFailed):
        run.step("snapshot")
    assert (droplets.disk_gb, droplets.status) == (25, "active")


def test_a_snapshot_that_a_person_took_is_not_taken_for_ours() -> None:
    clock, droplets, run = prepared()
    droplets.start("snapshot", name="by hand")
    clock.sleep(20)
    name = run.step("snapshot")["snapshot"]
    assert droplets.snapshots == ["by hand", name]


@pytest.mark.parametrize("seconds", [0.1, 5, 14])
def test_a_snapshot_that_shows_late_is_not_taken_twice(seconds: float) -> None:
    _, droplets, run = prepared()
    droplets.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    droplets.writes.late[0] = seconds
    run.execute()
    assert droplets.writes.effective == IN_ORDER


def test_a_snapshot_whose_answer_never_came_is_not_taken_twice() -> None:
    _, droplets, run = prepared()
    droplets.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.step("snapshot")
    assert droplets.writes.effective == ["snapshot"]


def test_a_failed_snapshot_ends_the_run_before_the_droplet_is_touched() -> None:
    _, droplets, run = prepared()
    droplets.fails = {"snapshot"}
    with pytest.raises(StepFailed, match=r"could not take it.*not resized without one"):
        run.execute()
    assert droplets.status == "active"
    assert droplets.writes.effective == ["snapshot"]


def test_an_action_of_somebody_else_is_let_through_before_the_snapshot() -> None:
    clock, droplets, run = prepared()
    droplets.takes_s = 900
    droplets.start("rename")
    began = clock.time()
    run.step("snapshot")
    assert clock.time() - began >= 2 * droplets.takes_s


def test_a_guest_that_ignores_the_shutdown_is_powered_off_after_its_grace() -> None:
    clock, droplets, run = before_the_section()
    droplets.ignores_shutdown = True
    began = clock.time()
    run.execute()
    assert droplets.writes.effective == ["snapshot", "shutdown", "power_off", "resize", "power_on"]
    assert droplets.powered[0][0] - began >= Timings().shutdown_grace_s


def test_a_shutdown_that_hangs_is_cut_short_by_a_power_off() -> None:
    _, droplets, run = before_the_section()
    droplets.shutdown_hangs = True
    run.execute()
    assert droplets.writes.effective == ["snapshot", "shutdown", "power_off", "resize", "power_on"]
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")


def test_a_refused_shutdown_is_followed_by_a_power_off() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses["shutdown"] = "it cannot be shut down"
    run.execute()
    assert droplets.writes.effective == ["snapshot", "power_off", "resize", "power_on"]


def test_a_refused_resize_puts_the_droplet_back_on_at_its_old_size() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses["resize"] = "no capacity in this region"
    with pytest.raises(StepFailed, match=r"no capacity .* Droplet 101 is on at s-1vcpu-1gb"):
        run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-1gb", "active")
    assert droplets.writes.effective == ["snapshot", "shutdown", "power_on"]


def test_a_resize_that_errors_puts_the_droplet_back_on_at_its_old_size() -> None:
    _, droplets, run = before_the_section()
    droplets.fails = {"resize"}
    with pytest.raises(StepFailed, match="Droplet 101 is on at s-1vcpu-1gb"):
        run.execute()
    assert droplets.writes.effective == ["snapshot", "shutdown", "resize", "power_on"]


def test_a_repeat_after_a_failed_resize_does_not_take_the_droplet_down_again() -> None:
    _, droplets, run = before_the_section()
    droplets.fails = {"resize"}
    for _ in range(2):
        with pytest.raises(StepFailed):
            run.execute()
    assert len(droplets.powered) == 2


def test_a_droplet_that_cannot_be_powered_on_is_said_to_be_off() -> None:
    clock, droplets, run = before_the_section()
    droplets.refuses["power_on"] = "billing is locked"
    with pytest.raises(StepFailed, match=r"Droplet 101 is OFF at s-1vcpu-2gb.*billing is locked"):
        run.execute()
    assert clock.time() - droplets.powered[0][0] < 120


def test_a_power_on_without_effect_is_repeated_and_in_the_end_told() -> None:
    _, droplets, run = before_the_section()
    droplets.fails = {"power_on"}
    with pytest.raises(StepFailed, match=r"did not come on within 180 s.*Droplet 101 is OFF"):
        run.execute()
    assert droplets.writes.effective.count("power_on") > 5


def test_a_droplet_that_will_not_power_off_is_left_on() -> None:
    _, droplets, run = before_the_section()
    droplets.fails = {"shutdown", "power_off"}
    with pytest.raises(StepFailed, match=r"did not power off within 240 s.*is on at s-1vcpu-1gb"):
        run.execute()
    assert droplets.status == "active"


def test_a_power_off_that_is_refused_is_given_up_and_leaves_it_on() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses = {"shutdown": "no", "power_off": "the token may not do this"}
    with pytest.raises(StepFailed, match=r"refusing to power off .*on at s-1vcpu-1gb.*token"):
        run.execute()


def test_a_person_who_switches_it_on_in_the_middle_wins() -> None:
    clock, droplets, run = before_the_section()
    run.intents["resize"] = clock.time()
    droplets.start("power_off")
    clock.sleep(20)
    droplets.start("power_on")
    clock.sleep(20)
    with pytest.raises(StepFailed, match="somebody switched it on"):
        run.execute()
    assert droplets.writes.effective == ["snapshot"]


def test_what_was_done_to_the_droplet_before_the_run_does_not_matter() -> None:
    clock, droplets, _ = prepared()
    for action in ("shutdown", "power_on"):
        droplets.start(action)
        clock.sleep(20)
    works = works_on(clock, apps=FakeApps(clock), droplets=droplets)
    planned(works, ASK, clock).execute()
    assert droplets.writes.effective == IN_ORDER


def test_the_section_goes_on_without_our_database() -> None:
    _, droplets, run = before_the_section()
    run.context = run.fresh()
    run.context.on_fence = lambda: setattr(run.context, "store_down", run.context.fences > 2)
    run.step("resize")
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")
    assert run.context.fences == 4


def test_nothing_that_cannot_be_put_on_record_takes_the_droplet_down() -> None:
    _, droplets, run = before_the_section()
    run.context = run.fresh()
    run.context.on_fence = lambda: setattr(run.context, "store_down", run.context.fences > 0)
    with pytest.raises(StoreUnavailable):
        run.step("resize")
    assert droplets.writes.effective == ["snapshot"]


def test_a_guest_that_ignores_the_shutdown_while_our_database_is_away_is_left_on() -> None:
    _, droplets, run = before_the_section()
    droplets.ignores_shutdown = True
    run.context = run.fresh()
    run.context.on_fence = lambda: setattr(run.context, "store_down", run.context.fences > 2)
    with pytest.raises(StepFailed, match=r"did not power off within 240 s.*is on at s-1vcpu-1gb"):
        run.step("resize")
    assert droplets.writes.effective == ["snapshot", "shutdown"]


def test_the_section_does_not_begin_without_our_database() -> None:
    _, droplets, run = before_the_section()
    run.context.on_fence = lambda: setattr(run.context, "store_down", True)
    with pytest.raises(StoreUnavailable):
        run.step("resize")
    assert droplets.status == "active"


def test_a_former_execution_leaves_the_section_to_the_one_that_replaced_it() -> None:
    _, droplets, run = before_the_section()
    run.context = run.fresh()
    run.context.on_fence = lambda: setattr(run.context, "fenced_out", run.context.fences > 2)
    with pytest.raises(FencedOut):
        run.step("resize")
    assert droplets.writes.effective == ["snapshot", "shutdown"]
    run.execute()
    assert droplets.writes.effective == IN_ORDER


@pytest.mark.parametrize("write", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_never_comes_leads_to_the_same_end(write: int, when: str) -> None:
    _, droplets, run = before_the_section()
    getattr(droplets.writes, when)[write] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")
    assert droplets.writes.effective == IN_ORDER


@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_busy_vendor_leads_to_the_same_end(write: int) -> None:
    _, droplets, run = before_the_section()
    droplets.writes.before[write] = vendor_error(FailureKind.TEMPORARY, retry_after=3)
    run.execute()
    assert droplets.writes.effective == IN_ORDER


def test_a_resize_of_less_than_a_minute_wakes_nobody() -> None:
    _, _, run = before_the_section()
    run.execute()
    assert run.worker.pager.tries == 0


def test_a_vendor_out_of_reach_for_two_minutes_is_waited_for() -> None:
    clock, droplets, run = before_the_section()
    droplets.unreadable_until = clock.time() + 120
    run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")


def test_each_time_the_vendor_is_out_of_reach_counts_by_itself() -> None:
    clock, droplets, run = before_the_section()
    run.context = run.fresh()

    def cut_off() -> None:
        droplets.unreadable_until = clock.time() + (100 if run.context.fences in (3, 5) else 0)

    run.context.on_fence = cut_off
    run.step("resize")
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")


@pytest.mark.parametrize("write", [1, 2, 3])
@pytest.mark.parametrize("problem", [ProcessDied(), vendor_error(FailureKind.UNKNOWN)])
def test_an_effect_that_shows_late_is_waited_for_and_not_sent_again(
    write: int, problem: BaseException
) -> None:
    _, droplets, run = before_the_section()
    droplets.writes.before[write] = problem
    droplets.writes.late[write] = 2
    if isinstance(problem, ProcessDied):
        with pytest.raises(ProcessDied):
            run.execute()
    run.execute()
    assert droplets.writes.sent == 4
    assert droplets.writes.effective == IN_ORDER


def test_a_vendor_out_of_reach_for_longer_is_told_with_what_was_seen_last() -> None:
    clock, droplets, run = before_the_section()
    run.intents["resize"] = clock.time()
    droplets.start("power_off")
    clock.sleep(20)
    droplets.refuses["resize"] = "no"

    run.context = run.fresh()

    def cut_off() -> None:
        droplets.unreadable_until = clock.time() + (1e9 if run.context.fences > 1 else 0)

    run.context.on_fence = cut_off
    began = clock.time()
    with pytest.raises(StepFailed, match=r"reached for 180 s.*OFF at s-1vcpu-1gb when it was seen"):
        run.step("resize")
    assert clock.time() - began < 200


def test_a_droplet_that_can_no_longer_be_read_fails_at_once() -> None:
    clock, droplets, run = before_the_section()
    droplets.unreadable_until = clock.time() + 1e9
    droplets.unreadable_kind = FailureKind.PERMANENT
    with pytest.raises(StepFailed, match="whether it is on is not known"):
        run.step("resize")


def test_the_health_address_is_asked_after_the_resize() -> None:
    clock = FakeClock()
    droplets, probe = FakeDroplets(clock), FakeProbe("refused", times=2)
    request = request_for("vertical_scale", replace(WORKER, health_url="http://10.0.0.7/health"))
    planned(
        works_on(clock, apps=FakeApps(clock), droplets=droplets, probe=probe), request, clock
    ).execute()
    assert probe.checked == ["http://10.0.0.7/health"] * 3


def test_a_size_changed_after_the_resize_fails_the_verification() -> None:
    _, droplets, run = before_the_section()
    run.step("resize")
    droplets.size = "s-2vcpu-2gb"
    with pytest.raises(StepFailed, match="somebody changed it"):
        run.step("verify")


def left_off() -> tuple[FakeClock, FakeDroplets, FakeRun]:
    """A run that gave up while the vendor refused to switch its droplet on, and is well again."""
    clock, droplets, run = before_the_section()
    droplets.refuses = {"resize": "no", "power_on": "billing is locked"}
    with pytest.raises(StepFailed, match="Droplet 101 is OFF"):
        run.execute()
    droplets.refuses = {}
    return clock, droplets, run


def test_making_safe_switches_a_droplet_on_and_says_so() -> None:
    _, droplets, run = left_off()
    assert run.works.make_safe(run.context, ASK, run.plan) == "Droplet 101 is on at s-1vcpu-1gb."
    assert droplets.status == "active"


def test_making_safe_works_without_our_database() -> None:
    _, droplets, run = left_off()
    run.context.store_down = True
    run.works.make_safe(run.context, ASK, run.plan)
    assert droplets.status == "active"


def test_making_safe_leaves_a_droplet_that_is_on_as_it_is() -> None:
    _, droplets, run = before_the_section()
    assert "is on" in run.works.make_safe(run.context, ASK, run.plan)
    assert droplets.writes.effective == ["snapshot"]


@pytest.mark.parametrize("kind", list(FailureKind))
def test_making_safe_says_what_it_could_not_do_and_leaves_time_for_the_page(
    kind: FailureKind,
) -> None:
    clock, droplets, run = before_the_section()
    droplets.unreadable_until, droplets.unreadable_kind = clock.time() + 1e9, kind
    began = clock.time()
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert "not known" in said
    assert clock.time() - began < 60


def test_making_safe_says_off_when_it_stays_off() -> None:
    clock, droplets, run = left_off()
    droplets.refuses["power_on"] = "billing is locked"
    began = clock.time()
    assert "Droplet 101 is OFF" in run.works.make_safe(run.context, ASK, run.plan)
    assert clock.time() - began < 60


def test_a_permanent_error_before_the_section_is_the_vendors_own() -> None:
    _, droplets, run = prepared()
    droplets.refuses["snapshot"] = "the limit of snapshots is reached"
    with pytest.raises(VendorError, match="limit of snapshots"):
        run.execute()
    assert droplets.status == "active"


def test_a_droplet_that_somebody_switched_off_is_not_scaled() -> None:
    _, droplets, run = prepared()
    droplets.status = "off"
    held = run.works.plan(ASK)
    assert isinstance(held, PlanHeld)
    assert held.guard == "droplet_status"
