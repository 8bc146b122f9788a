from __future__ import annotations

from collections.abc import Callable

import pytest

from service.catalogue.steps.polling import Pauses, poll
from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error


def wait_for(look: Callable[[], str | None], clock: FakeClock, deadline_s: float = 10.0) -> str:
    late = StepFailed("a-step", "It was late.")
    return poll(look, clock=clock, timings=Timings(), deadline_s=deadline_s, late=lambda: late)


def test_what_is_there_already_costs_no_wait() -> None:
    clock = FakeClock()
    assert wait_for(lambda: "found", clock) == "found"
    assert clock.slept == []


def test_the_last_look_is_after_the_deadline() -> None:
    clock = FakeClock()
    ends = clock.time() + 10
    assert wait_for(lambda: "found" if clock.time() >= ends else None, clock) == "found"


def test_a_deadline_of_nothing_still_looks_once() -> None:
    assert wait_for(lambda: "found", FakeClock(), deadline_s=0) == "found"


def test_after_the_deadline_it_is_late() -> None:
    clock = FakeClock()
    with pytest.raises(StepFailed, match="It was late"):
        wait_for(lambda: None, clock)
    assert 10 <= sum(clock.slept) < 15


def test_a_refusal_ends_the_wait_at_once() -> None:
    clock = FakeClock()

    def look() -> str | None:
        raise vendor_error(FailureKind.PERMANENT)

    with pytest.raises(VendorError):
        wait_for(look, clock)
    assert clock.slept == []


def test_a_vendor_out_of_reach_until_the_deadline_is_told_with_its_words() -> None:
    def look() -> str | None:
        raise vendor_error(FailureKind.TEMPORARY, "it answered 503.")

    with pytest.raises(StepFailed, match=r"It was late\. The last look failed: .*503"):
        wait_for(look, FakeClock())


def test_pauses_grow_up_to_the_longest_and_start_anew_after_something_happened() -> None:
    clock = FakeClock()
    pauses = Pauses(clock, Timings(poll_min_s=1, poll_max_s=3))
    for _ in range(5):
        pauses.wait()
    pauses.reset()
    pauses.wait()
    pauses.wait(at_least=4)
    assert clock.slept == [1, 1.5, 2.25, 3, 3, 1, 4]
