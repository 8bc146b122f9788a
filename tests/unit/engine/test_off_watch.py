from __future__ import annotations

import threading

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import FailureKind, VendorError
from service.engine.off_watch import OffDroplet, OffWatch, Vigil
from service.ports import Page
from service.store.clock import StoreClock
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FlakyPager
from tests.processes import wait_until

RUN = "worker-vm.up.1"
DROPLET = OffDroplet(RUN, "101", "do-droplet:101")
AWAY = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "It cannot be reached.")


class Desk:
    """A watch that is stepped by hand: `pass_by` is time in which its thread would be awake."""

    def __init__(self) -> None:
        self.clock, self.pager = FakeClock(), FlakyPager()
        self.watch = OffWatch(self.pager, self.clock, begin=lambda _vigil: None)

    def pass_by(self, vigil: Vigil, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while (wait := vigil.step()) <= until - self.clock.monotonic():
            self.clock.sleep(wait)
        self.clock.sleep(until - self.clock.monotonic())


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_droplet_that_is_not_seen_on_for_a_minute_is_paged_then_and_once(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    vigil.doing = "its resize to s-1vcpu-2gb is under way"
    desk.pass_by(vigil, 59.9)
    assert desk.pager.tries == 0
    desk.pass_by(vigil, 0.2)
    assert list(desk.pager.open) == [run_dedup_key(RUN)]
    assert (
        "Droplet 101 has not been seen on for 60 s" in desk.pager.open[run_dedup_key(RUN)].summary
    )
    assert "its resize to s-1vcpu-2gb is under way" in desk.pager.open[run_dedup_key(RUN)].summary
    desk.pass_by(vigil, 7_200)
    assert desk.pager.tries == 1


def test_the_page_links_the_droplet_at_its_vendor_and_says_what_to_type(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    desk.pass_by(vigil, 61)
    (page,) = desk.pager.open.values()
    assert [href for href, _ in page.links] == ["https://cloud.digitalocean.com/droplets/101"]
    assert page.details["what to type"] == f"runbookd explain {RUN}"


def test_a_droplet_that_is_seen_on_is_off_from_then_at_the_earliest(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    desk.pass_by(vigil, 50)
    vigil.seen_on()
    desk.pass_by(vigil, 59)
    assert desk.pager.tries == 0
    desk.pass_by(vigil, 2)
    assert desk.pager.tries == 1


def test_a_page_that_the_pager_does_not_take_is_tried_until_it_does(desk: Desk) -> None:
    desk.pager.problem = AWAY
    vigil = desk.watch.watch(DROPLET)
    desk.pass_by(vigil, 60 + 5 + 10 + 20 + 40 + 60 + 1)
    assert (desk.pager.tries, desk.pager.open) == (6, {})
    desk.pass_by(vigil, 3_600)
    assert desk.pager.tries == pytest.approx(6 + 60, abs=1)
    desk.pager.problem = None
    desk.pass_by(vigil, 60)
    assert list(desk.pager.open) == [run_dedup_key(RUN)]


def test_a_watch_that_has_ended_pages_nobody(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    assert not desk.watch.end(RUN)
    desk.pass_by(vigil, 600)
    assert desk.pager.tries == 0
    assert desk.watch.runs() == frozenset()


def test_the_end_says_whether_somebody_was_paged(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    desk.pass_by(vigil, 61)
    assert desk.watch.end(RUN)
    assert not desk.watch.end(RUN)


def test_a_droplet_taken_over_is_paged_by_the_time_since_it_went_off(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET, off_for_s=40)
    desk.pass_by(vigil, 19)
    assert desk.pager.tries == 0
    desk.pass_by(vigil, 2)
    assert desk.pager.tries == 1


def test_a_droplet_off_for_long_may_be_looked_at_before_its_page(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET, off_for_s=900)
    desk.pass_by(vigil, 9)
    assert desk.pager.tries == 0
    desk.pass_by(vigil, 2)
    assert "for 9" in desk.pager.open[run_dedup_key(RUN)].summary


def test_a_process_that_was_stopped_first_finds_out_whether_the_run_is_still_its_own(
    desk: Desk,
) -> None:
    vigil = desk.watch.watch(DROPLET)
    desk.pass_by(vigil, 30)
    desk.clock.sleep(300)
    assert vigil.step() == pytest.approx(10.0)
    assert desk.pager.tries == 0
    desk.pass_by(vigil, 10.1)
    assert desk.pager.tries == 1


def test_a_doubt_is_paged_at_once_and_in_its_own_words(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    vigil.doubt("Droplet 101 is off, and nobody knows why.")
    vigil.step()
    assert "nobody knows why." in desk.pager.open[run_dedup_key(RUN)].summary


def test_watching_twice_is_watching_once(desk: Desk) -> None:
    assert desk.watch.watch(DROPLET) is desk.watch.watch(DROPLET, off_for_s=500)


def test_a_jump_of_the_time_of_day_changes_nothing(desk: Desk) -> None:
    vigil = desk.watch.watch(DROPLET)
    desk.clock.jump(3_600)
    desk.pass_by(vigil, 59)
    assert desk.pager.tries == 0


class _HangingPager(FlakyPager):
    """A pager whose answer comes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.answer = threading.Event(), threading.Event()
        self.order: list[str] = []

    def trigger(self, page: Page) -> None:
        self.called.set()
        assert self.answer.wait(30)
        self.order.append(page.dedup_key)


def test_one_droplets_page_that_hangs_delays_no_other_and_its_end_waits_for_it() -> None:
    hanging = _HangingPager()
    watch = OffWatch(hanging, StoreClock(), page_after_s=0.0)
    watch.watch(DROPLET)
    assert hanging.called.wait(30)
    hanging.called.clear()

    watch.watch(OffDroplet("other.up.1", "102", "do-droplet:102"))
    assert hanging.called.wait(30)

    def end() -> None:
        watch.end(RUN)
        hanging.order.append("ended")

    ender = threading.Thread(target=end)
    ender.start()
    wait_until(lambda: RUN not in watch.runs(), 30)
    hanging.answer.set()
    ender.join(30)
    assert hanging.order.index(run_dedup_key(RUN)) < hanging.order.index("ended")
    watch.end("other.up.1")


def test_a_doubt_wakes_the_thread_that_waits() -> None:
    pager = FlakyPager()
    watch = OffWatch(pager, StoreClock())
    watch.watch(DROPLET).doubt("Droplet 101 is off, and nobody knows why.")
    wait_until(lambda: bool(pager.open), 30)
    assert list(pager.open) == [run_dedup_key(RUN)]
    watch.end(RUN)
