"""A droplet that a run has switched off is paged after a minute and brought on again.

A clock of its own pages; something of ours brings it on until it is on, or a person has taken it
over.
"""

from __future__ import annotations

import threading

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.engine import off_duty
from service.ports.offs import GONE, ON, TAKEN_OVER
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.runs import ASK_DROPLET as ASK
from tests.fakes.runs import FakeRun, before_the_section
from tests.reliability import VendorSaw, scenario

INCIDENT = run_dedup_key(ASK.id)
OLD, NEW = "s-1vcpu-1gb", "s-1vcpu-2gb"
A_MINUTE_S = 61.0
"""With the second in which the fakes' threads wake."""


def paged_after(run: FakeRun, droplets: FakeDroplets) -> float:
    """Seconds from the droplet's going off to the one page about it."""
    [page_at] = run.pages_at
    return page_at - next(at for at, power in droplets.powered if power == "off")


# ---- Paged within a minute, whatever happens ----


def test_a_vendor_that_stumbles_over_the_power_on_is_paged_with_its_words() -> None:
    _, droplets, run = before_the_section()
    stumbles = vendor_error(FailureKind.TEMPORARY, "it answered 503.")
    droplets.writes.before = dict.fromkeys(range(3, 8), stumbles)
    run.execute()
    assert paged_after(run, droplets) <= A_MINUTE_S
    assert "503" in run.worker.pager.open[INCIDENT].summary
    assert (droplets.size, droplets.status) == (NEW, "active")


@scenario(
    "A droplet that is off",
    "Each request to switch it on is answered 201, without effect.",
    "Paged a minute after it went off. The request is repeated at growing intervals, fewer than "
    "twelve times, and told in one line of the thread. Then the run fails and says that it is off.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on again and again",
)
def test_a_power_on_that_is_taken_without_effect_is_paged_and_not_sent_hundreds_of_times(
    vendor_saw: VendorSaw,
) -> None:
    _, droplets, run = before_the_section()
    droplets.no_effect = {"power_on"}
    with pytest.raises(StepFailed, match="Droplet 101 is OFF"):
        run.execute()
    assert paged_after(run, droplets) <= A_MINUTE_S
    assert "requests to switch it on" in run.worker.pager.open[INCIDENT].summary
    assert 5 < droplets.writes.effective.count("power_on") < 12
    assert len(run.worker.messenger.messages) == 1
    vendor_saw(droplets.writes.effective)


def test_what_is_tried_again_and_again_is_one_line_in_the_thread() -> None:
    _, droplets, run = before_the_section()
    droplets.no_effect = {"power_on"}
    with pytest.raises(StepFailed):
        run.execute()
    [line] = run.worker.messenger.messages.values()
    sent = droplets.writes.effective.count("power_on")
    assert line.text.splitlines() == [
        "Shutting droplet 101 down.",
        f"Resizing it to {NEW}, disk untouched.",
        f"Powering droplet 101 on (sent {sent} times).",
    ]


def test_a_resize_that_stays_in_progress_is_paged_as_what_it_is() -> None:
    _, droplets, run = before_the_section()
    droplets.takes["resize"] = 600.0
    run.execute()
    assert paged_after(run, droplets) <= A_MINUTE_S
    assert f"its resize to {NEW} is in-progress since" in run.worker.pager.open[INCIDENT].summary
    assert (droplets.size, droplets.status) == (NEW, "active")


def test_a_vendor_that_cannot_be_read_is_paged_a_minute_after_the_shutdown_was_sent() -> None:
    clock, droplets, run = before_the_section()

    def cut_off() -> None:
        droplets.unreadable_until = clock.time() + (1e9 if run.context.fences == 3 else 0)

    run.context = run.fresh()
    run.context.on_fence = cut_off
    began = clock.time()
    with pytest.raises(StepFailed, match="could not be reached"):
        run.step("resize")
    [page_at] = run.pages_at
    assert page_at - began <= 75.0


def test_a_pager_that_refuses_is_told_as_soon_as_it_takes_it() -> None:
    clock, droplets, run = before_the_section()
    droplets.takes["resize"] = 900.0
    run.worker.pager.problem = vendor_error(FailureKind.TEMPORARY, "it cannot be reached.")
    well_again = clock.time() + 300.0
    clock.watchers.append(
        lambda: setattr(
            run.worker.pager,
            "problem",
            run.worker.pager.problem if clock.time() < well_again else None,
        )
    )
    run.execute()
    assert run.pages_at[-1] - well_again <= 61.0
    assert INCIDENT in run.worker.pager.open


def test_a_page_is_one_incident_and_the_thread_says_that_it_is_on_again() -> None:
    _, droplets, run = before_the_section()
    droplets.takes["resize"] = 90.0
    run.execute()
    assert len(run.pages_at) == 1
    [line] = run.worker.messenger.messages.values()
    assert "Droplet 101 is on again after" in line.text
    assert "was paged about it" in line.text


# ---- With a database that hangs ----


def test_a_database_that_hangs_costs_one_deadline_and_leaves_the_droplet_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(off_duty, "STORE_DEADLINE_S", 0.05)
    _, droplets, run = before_the_section()
    thawed, hung = threading.Event(), []

    def hang() -> None:
        if droplets.status == "off":
            hung.append(1)
            thawed.wait(60)

    run.context = run.fresh()
    run.context.on_fence = hang
    run.step("resize")
    thawed.set()
    assert (droplets.size, droplets.status) == (NEW, "active")
    assert len(hung) == 1


def test_a_droplet_that_is_off_is_not_left_while_our_database_is_away() -> None:
    clock, droplets, run = before_the_section()
    droplets.refuses["power_on"] = "billing is locked"
    went_on = clock.time() + 1_800.0

    def store_goes_away() -> None:
        run.context.store_down = run.context.fences > 2

    def vendor_is_well_again() -> None:
        if clock.time() > went_on:
            droplets.refuses = {}

    run.context = run.fresh()
    run.context.on_fence = store_goes_away
    clock.watchers.append(vendor_is_well_again)
    run.step("resize")
    assert (droplets.size, droplets.status) == (NEW, "active")
    assert clock.time() - went_on < 120.0


# ---- A resize that is not taken ----


@scenario(
    "A droplet that is off",
    "The vendor answers 500 to the resize, again and again.",
    "After a minute the droplet is switched on at its old size. Then the run fails.",
    "snapshot",
    "shutdown",
    "power_on",
)
@pytest.mark.parametrize("kind", [FailureKind.TEMPORARY, FailureKind.UNKNOWN])
def test_a_resize_that_is_not_taken_for_a_minute_is_given_up_and_the_droplet_is_on(
    kind: FailureKind, vendor_saw: VendorSaw
) -> None:
    _, droplets, run = before_the_section()
    droplets.errors["resize"] = vendor_error(kind, "it answered 500.")
    with pytest.raises(StepFailed, match=r"did not take the resize in time.*is on at s-1vcpu-1gb"):
        run.execute()
    off_at, on_at = (at for at, _ in droplets.powered)
    assert 60.0 <= on_at - off_at <= 110.0
    assert droplets.size == OLD
    vendor_saw(droplets.writes.effective)


def test_a_resize_that_is_taken_again_and_again_without_effect_is_given_up_too() -> None:
    _, droplets, run = before_the_section()
    droplets.no_effect = {"resize"}
    with pytest.raises(StepFailed, match=r"had no effect in time.*is on at s-1vcpu-1gb"):
        run.execute()
    off_at, on_at = (at for at, _ in droplets.powered)
    assert on_at - off_at <= 120.0


@scenario(
    "A droplet that is off",
    "The vendor answers 429 to the resize and asks to wait for a quarter of an hour.",
    "On again at its old size within 20 s, before the wait. Nobody is paged for the minute.",
    "snapshot",
    "shutdown",
    "power_on",
)
def test_a_vendor_that_asks_for_a_longer_wait_than_there_is_has_the_droplet_on_first(
    vendor_saw: VendorSaw,
) -> None:
    _, droplets, run = before_the_section()
    droplets.errors["resize"] = vendor_error(FailureKind.TEMPORARY, "it answered 429.", 900.0)
    with pytest.raises(StepFailed, match=r"429.*is on at s-1vcpu-1gb"):
        run.execute()
    off_at, on_at = (at for at, _ in droplets.powered)
    assert on_at - off_at <= 20.0
    assert run.worker.pager.tries == 0
    vendor_saw(droplets.writes.effective)


def test_a_resize_that_the_vendor_refuses_for_good_is_kept_in_its_words() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses["resize"] = "Size is too large to fit on your droplet's server."
    with pytest.raises(StepFailed, match=r"too large.*is on at s-1vcpu-1gb"):
        run.execute()
    [refusal] = run.worker.offs.refusals("do-droplet:101")
    assert (refusal.size, refusal.words) == (NEW, droplets.refuses["resize"])


def test_a_resize_that_is_refused_because_it_has_happened_is_no_refusal_of_the_size() -> None:
    _, droplets, run = before_the_section()
    droplets.writes.after[2] = vendor_error(FailureKind.PERMANENT, "It has that size.")
    run.execute()
    assert droplets.size == NEW
    assert run.worker.offs.refusals("do-droplet:101") == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_resize_says_nothing_about_the_size(status: int) -> None:
    _, droplets, run = before_the_section()
    droplets.errors["resize"] = VendorError(
        "digitalocean", "resize", FailureKind.PERMANENT, "Not authorized.", None, status
    )
    with pytest.raises(StepFailed, match=r"Not authorized.*is on at s-1vcpu-1gb"):
        run.execute()
    assert run.worker.offs.refusals("do-droplet:101") == []


# ---- Whose it is ----


def test_a_run_that_sent_no_power_action_switches_nothing_on() -> None:
    _, droplets, run = before_the_section()
    droplets.start("power_off")
    droplets.clock.sleep(20)
    said = run.works.make_safe(run.context, ASK, run.plan)
    assert "OFF" in said
    assert "somebody else" in said
    assert droplets.writes.effective == ["snapshot"]


@scenario(
    "People who change things meanwhile",
    "A person switches the droplet off after the run has taken its snapshot.",
    "The run fails and says who switched it off. The droplet is left to the person.",
    "snapshot",
)
def test_a_droplet_that_a_person_switched_off_after_its_snapshot_is_left_to_the_person(
    vendor_saw: VendorSaw,
) -> None:
    _, droplets, run = before_the_section()
    droplets.start("power_off")
    droplets.clock.sleep(20)
    with pytest.raises(StepFailed, match=r"switched off by somebody else.*is OFF"):
        run.execute()
    vendor_saw(droplets.writes.effective)


def test_a_droplet_that_a_person_switches_off_after_the_run_stays_off() -> None:
    _, droplets, run = before_the_section()
    run.execute()
    droplets.start("shutdown")
    droplets.clock.sleep(20)
    said = run.works.make_safe(run.fresh(), ASK, run.plan)
    assert "somebody else" in said
    assert droplets.status == "off"


def late_shutdown() -> tuple[FakeClock, FakeDroplets, FakeRun]:
    """A run that has ended well, and the shutdown of a former execution that arrives only now."""
    clock, droplets, run = before_the_section()
    droplets.writes.before[1] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    run.new_process()
    run.execute()
    droplets.start("shutdown")
    clock.sleep(20)
    run.new_process()
    return clock, droplets, run


def test_a_late_shutdown_of_a_former_execution_is_undone() -> None:
    _, droplets, run = late_shutdown()
    assert run.works.make_safe(run.context, ASK, run.plan) == f"Droplet 101 is on at {NEW}."
    assert droplets.status == "active"


def test_a_late_shutdown_that_cannot_be_undone_at_once_is_paged_and_stays_open() -> None:
    clock, droplets, run = late_shutdown()
    droplets.no_effect = {"power_on"}
    run.works.make_safe(run.context, ASK, run.plan)
    assert [record.run for record in run.worker.offs.still_open()] == [ASK.id]
    clock.sleep(60)
    assert run.worker.pager.tries == 1


def test_a_person_who_switches_it_off_in_the_middle_has_taken_it_over() -> None:
    clock, droplets, run = before_the_section()

    def a_person() -> None:
        if run.context.fences == 4:
            for action in ("power_on", "power_off"):
                droplets.start(action)
                clock.sleep(droplets.takes_s)

    run.context = run.fresh()
    run.context.on_fence = a_person
    droplets.writes.before[3] = vendor_error(FailureKind.TEMPORARY)
    with pytest.raises(StepFailed, match=r"switched off by somebody else"):
        run.step("resize")
    record = run.worker.offs.get(ASK.id)
    assert record is not None
    assert record.ended == TAKEN_OVER
    assert run.worker.off_watch.runs() == frozenset()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_shutdown_leaves_it_known_as_ours(when: str) -> None:
    clock, droplets, run = before_the_section()
    getattr(droplets.writes, when)[1] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    clock.sleep(30)
    run.new_process()
    run.execute()
    assert (droplets.size, droplets.status) == (NEW, "active")
    assert droplets.writes.effective == ["snapshot", "shutdown", "resize", "power_on"]


def test_an_action_that_the_vendor_did_not_take_makes_no_later_one_ours() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses = {"shutdown": "no", "power_off": "no"}
    with pytest.raises(StepFailed):
        run.execute()
    droplets.refuses = {}
    droplets.start("shutdown")
    droplets.clock.sleep(20)
    assert "somebody else" in run.works.make_safe(run.fresh(), ASK, run.plan)
    assert droplets.status == "off"


def test_a_section_of_a_version_without_a_record_is_taken_up_as_its_own() -> None:
    clock, droplets, run = before_the_section()
    run.intents["resize"] = clock.time()
    droplets.start("shutdown")
    clock.sleep(20)
    run.execute()
    assert (droplets.size, droplets.status) == (NEW, "active")
    assert droplets.writes.effective == ["snapshot", "resize", "power_on"]


def test_in_doubt_a_droplet_is_switched_on_and_paged() -> None:
    _, droplets, run = before_the_section()
    droplets.writes.before[1] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    run.new_process()
    droplets.status = "off"
    run.execute()
    assert droplets.status == "active"
    assert "lists no action that switched it off" in run.worker.pager.open[INCIDENT].summary


# ---- How the record ends ----


def test_a_droplet_that_is_on_at_the_end_is_watched_no_more() -> None:
    clock, _, run = before_the_section()
    run.execute()
    clock.sleep(3_600)
    record = run.worker.offs.get(ASK.id)
    assert record is not None
    assert (record.ended, run.worker.pager.tries) == (ON, 0)


def test_a_droplet_that_is_left_off_stays_open_on_record_and_watched() -> None:
    _, droplets, run = before_the_section()
    droplets.refuses["power_on"] = "billing is locked"
    with pytest.raises(StepFailed, match=r"is OFF.*It is tried again until it is on"):
        run.execute()
    assert [record.run for record in run.worker.offs.still_open()] == [ASK.id]
    assert run.worker.off_watch.runs() == {ASK.id}


def test_a_droplet_that_was_destroyed_needs_no_watch() -> None:
    clock, droplets, run = before_the_section()
    droplets.takes["resize"] = 1e9
    missing = VendorError("digitalocean", "read", FailureKind.PERMANENT, "Not found.", None, 404)

    def destroy() -> None:
        droplets.missing = missing

    clock.watchers.append(destroy)
    with pytest.raises(StepFailed, match="does not exist any more"):
        run.step("resize")
    record = run.worker.offs.get(ASK.id)
    assert record is not None
    assert record.ended == GONE


def test_a_second_execution_in_another_process_pages_by_when_it_went_off() -> None:
    clock, droplets, run = before_the_section()
    droplets.takes["resize"] = 1e9
    droplets.writes.after[2] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    clock.sleep(40)
    run.new_process()
    began = clock.time()
    clock.watchers.append(lambda: _stop_after(run, 60.0, began))
    with pytest.raises(ProcessDied):
        run.execute()
    assert paged_after(run, droplets) <= A_MINUTE_S


def _stop_after(run: FakeRun, seconds: float, began: float) -> None:
    if run.clock.time() - began > seconds:
        raise ProcessDied
