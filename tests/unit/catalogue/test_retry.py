from __future__ import annotations

from collections.abc import Callable

import pytest

from service.domain.errors import FailureKind, VendorError
from service.retry import LONGEST_WAIT, call_with_retries
from tests.fakes.clock import FakeClock


def failing(kind: FailureKind, retry_after: float | None = None) -> VendorError:
    return VendorError("vendor", "do it", kind, "it failed.", retry_after)


def outcomes(*results: Exception | str) -> Callable[[], str]:
    left = list(results)

    def fn() -> str:
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return fn


BUSY = failing(FailureKind.TEMPORARY)


def test_a_success_is_given_back_without_a_wait() -> None:
    clock = FakeClock()

    assert call_with_retries(outcomes("done"), clock=clock, attempts=3, budget_s=60) == "done"
    assert clock.slept == []


def test_a_temporary_failure_is_repeated_with_doubling_waits() -> None:
    clock = FakeClock()
    fn = outcomes(BUSY, BUSY, BUSY, "done")

    found = call_with_retries(fn, clock=clock, attempts=4, budget_s=60, jitter=lambda: 1.0)

    assert found == "done"
    assert clock.slept == [1, 2, 4]


def test_jitter_takes_up_to_half_of_a_wait_away() -> None:
    clock = FakeClock()
    fn = outcomes(BUSY, "done")

    call_with_retries(fn, clock=clock, attempts=2, budget_s=60, jitter=lambda: 0.0)

    assert clock.slept == [0.5]


@pytest.mark.parametrize("kind", [FailureKind.PERMANENT, FailureKind.UNKNOWN])
def test_what_is_not_temporary_is_raised_at_once(kind: FailureKind) -> None:
    clock = FakeClock()
    error = failing(kind, retry_after=1.0)

    with pytest.raises(VendorError) as caught:
        call_with_retries(outcomes(error, "never"), clock=clock, attempts=5, budget_s=60)

    assert caught.value is error
    assert clock.slept == []


def test_an_error_of_ours_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        call_with_retries(outcomes(ZeroDivisionError()), clock=FakeClock(), attempts=5, budget_s=9)


def test_the_last_failure_is_raised_when_the_attempts_are_used_up() -> None:
    clock = FakeClock()
    last = failing(FailureKind.TEMPORARY)

    with pytest.raises(VendorError) as caught:
        call_with_retries(outcomes(BUSY, last, "never"), clock=clock, attempts=2, budget_s=60)

    assert caught.value is last
    assert len(clock.slept) == 1


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_wait_is_never_shorter_than_the_vendor_asks(jitter: float) -> None:
    clock = FakeClock()
    fn = outcomes(failing(FailureKind.TEMPORARY, retry_after=20.0), "done")

    call_with_retries(fn, clock=clock, attempts=2, budget_s=60, jitter=lambda: jitter)

    assert 20 <= clock.slept[0] <= 21


def test_a_wish_longer_than_the_budget_is_not_cut_short_but_raised() -> None:
    clock = FakeClock()
    error = failing(FailureKind.TEMPORARY, retry_after=61.0)

    with pytest.raises(VendorError) as caught:
        call_with_retries(outcomes(error, "never"), clock=clock, attempts=5, budget_s=60)

    assert caught.value.retry_after == 61
    assert clock.slept == []


def test_the_time_of_the_calls_counts_against_the_budget() -> None:
    clock = FakeClock()

    def slow() -> str:
        clock.now += 30
        raise BUSY

    with pytest.raises(VendorError):
        call_with_retries(slow, clock=clock, attempts=100, budget_s=60)

    assert len(clock.slept) == 1


def test_doubling_ends_at_the_longest_wait() -> None:
    clock = FakeClock()
    fn = outcomes(*[BUSY] * 9, "done")

    call_with_retries(fn, clock=clock, attempts=10, budget_s=1000, jitter=lambda: 1.0)

    assert max(clock.slept) == LONGEST_WAIT
