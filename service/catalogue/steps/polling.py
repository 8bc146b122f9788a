"""Looking again until something is so: the one loop with growing pauses and a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports import Clock
from service.retry import call_with_retries

T = TypeVar("T")

LAST_LOOK_BUDGET_S = 30.0
"""Seconds for the repeats of the look after the deadline, so that one lost answer does not fail
the step: five tries with their waits take half as long."""
GROWTH = 1.5
"""Each pause is this times the one before, up to the longest."""


class Pauses:
    """Pauses between looks: short at first, then longer; short again after something happened."""

    def __init__(self, clock: Clock, timings: Timings) -> None:
        self._clock = clock
        self._timings = timings
        self._next = timings.poll_min_s

    def wait(self, *, at_least: float = 0.0) -> None:
        """One pause, of `at_least` so many seconds; the next one is longer."""
        self._clock.sleep(max(self._next, at_least))
        self._next = min(self._next * GROWTH, self._timings.poll_max_s)

    def reset(self) -> None:
        """Something happened: the next change may come soon."""
        self._next = self._timings.poll_min_s


def read(
    look: Callable[[], T], *, clock: Clock, timings: Timings, budget_s: float | None = None
) -> T:
    """A read, repeated while its failure is temporary.

    `budget_s` is in seconds; `timings.retry_budget_s` where it is not given.
    """
    budget = timings.retry_budget_s if budget_s is None else budget_s
    return call_with_retries(look, clock=clock, attempts=timings.retry_attempts, budget_s=budget)


def poll(
    look: Callable[[], T | None],
    *,
    clock: Clock,
    timings: Timings,
    deadline_s: float,
    late: Callable[[], StepFailed],
) -> T:
    """Look until `look` returns a value; raise `late()` when the deadline has passed.

    A vendor that cannot be reached for a while ends the wait only at the deadline, because what
    is waited for goes on without us. The last look is always after the deadline.
    """
    pauses = Pauses(clock, timings)
    deadline = clock.monotonic() + deadline_s
    while True:
        over = clock.monotonic() >= deadline
        left_s = max(LAST_LOOK_BUDGET_S, deadline - clock.monotonic())
        asked_s = 0.0
        try:
            budget_s = min(timings.asked_wait_s, left_s)
            found = read(look, clock=clock, timings=timings, budget_s=budget_s)
        except VendorError as problem:
            if problem.kind is FailureKind.PERMANENT:
                raise
            if over:
                failure = late()
                sentence = f"{failure.sentence} The last look failed: {problem}"
                raise StepFailed(failure.step, sentence) from problem
            found, asked_s = None, min(problem.retry_after or 0.0, left_s)
        if found is not None:
            return found
        if over:
            raise late()
        pauses.wait(at_least=asked_s)
