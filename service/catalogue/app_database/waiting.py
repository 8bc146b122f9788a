"""Waiting for a long statement, and telling how far the server is with it."""

from __future__ import annotations

from collections.abc import Callable

from service.catalogue.context import StepContext
from service.catalogue.steps.polling import Pauses
from service.catalogue.steps.timings import Timings
from service.domain.errors import VendorError
from service.ports.app_database import AppDatabase, Running
from service.retry import call_with_retries

TELL_EVERY_S = 60.0
"""Seconds between two lines about the progress of one phase."""


class Telling:
    """Tells how far the server is with an index: each phase once, and each minute of a long one.

    `what` begins the line. `place` is schema and table.
    """

    def __init__(
        self, context: StepContext, database: AppDatabase, what: str, place: tuple[str, str]
    ) -> None:
        self._context = context
        self._database = database
        self._what = what
        self._place = place
        self._said: tuple[int, str] | None = None
        self._again_at = 0.0

    def tell(self) -> bool:
        """Ask, and say it where it is new; whether an index of the table is being built.

        A server that does not answer is asked again later.
        """
        now = self._context.clock.monotonic()
        try:
            seen = self._database.progress(*self._place)
        except VendorError:
            return True
        if seen is None:
            return False
        if (seen.pid, seen.phase) == self._said and now < self._again_at:
            return True
        self._said, self._again_at = (seen.pid, seen.phase), now + TELL_EVERY_S
        phase = seen.phase or (
            f"pid {seen.pid}, of another role, works on it; how far it is, our role may not see "
            "without pg_read_all_stats"
        )
        far = f", {seen.blocks_done:,} of {seen.blocks:,} blocks" if seen.blocks else ""
        waits = f"; it waits for the transaction of pid {seen.waits_for}" if seen.waits_for else ""
        self._context.progress(f"{self._what}: {phase}{far}{waits}.")
        return True


def wait_for(running: Running, telling: Telling, context: StepContext, timings: Timings) -> None:
    """Until the statement has ended. The target's lock is kept meanwhile.

    Raises VendorError where the statement has failed.
    """
    pauses = Pauses(context.clock, timings)
    while not running.done():
        telling.tell()
        pauses.wait()


def send_and_wait(
    send: Callable[[], Running],
    wait: Callable[[Running], None],
    context: StepContext,
    timings: Timings,
) -> VendorError | None:
    """Send a statement and wait for its end. The error that it ended with, None where it has
    succeeded.

    One that was never sent, because no connection was made, has had no effect and is sent again.

    Raises:
        VendorError: it could not be sent.
        FencedOut: another execution owns this run.
    """

    def attempt() -> VendorError | None:
        context.fence()
        running = send()
        try:
            wait(running)
        except VendorError as problem:
            if running.was_sent():
                return problem
            raise
        return None

    return call_with_retries(
        attempt,
        clock=context.clock,
        attempts=timings.retry_attempts,
        budget_s=timings.retry_budget_s,
    )
