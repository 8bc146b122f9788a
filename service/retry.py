"""The one retry loop for all vendor calls. It repeats only what is safe to repeat.

The SDKs' own retries are off, for two reasons. Only the kind of a failure says whether a repeat is
safe. And the waits must count against the time of the step that calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from service.domain.errors import FailureKind, VendorError
from service.ports import Clock

T = TypeVar("T")

FIRST_WAIT = 1.0
"""Seconds before the first repeat, unless the vendor says more; doubled each time."""
LONGEST_WAIT = 30.0
"""Seconds at which doubling ends. A vendor may ask for more."""


def call_with_retries(
    fn: Callable[[], T],
    *,
    clock: Clock,
    attempts: int = 4,
    budget_s: float = 60.0,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Call `fn` until it succeeds, at most `attempts` times within `budget_s` seconds.

    Only a TEMPORARY VendorError is followed by a repeat. A PERMANENT one cannot get better, and
    after an UNKNOWN one a repeat might act twice, so both are raised at once. A wait is never
    shorter than the vendor's Retry-After. If that is longer than the rest of the budget, the error
    is raised at once and carries it. `jitter` gives a number from 0 to 1.
    """
    deadline = clock.monotonic() + budget_s
    attempt = 1
    while True:
        try:
            return fn()
        except VendorError as problem:
            wait = _wait(attempt, problem.retry_after, jitter())
            last = attempt >= attempts or clock.monotonic() + wait > deadline
            if problem.kind is not FailureKind.TEMPORARY or last:
                raise
        clock.sleep(wait)
        attempt += 1


def _wait(attempt: int, asked: float | None, jitter: float) -> float:
    """Seconds before the next attempt, doubled each time.

    A random part spreads calls that failed together, so that they do not come back together.
    """
    backoff: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
    if asked is None:
        return backoff * (0.5 + jitter / 2)
    return max(backoff, asked) + backoff * jitter / 2
