"""Sending a write so that it takes effect once: look, send, and after silence look again.

Vendors have no idempotency keys for what we change, so a write whose answer never came is never
simply repeated; it is sent again only when a look shows that it had no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.catalogue.context import Intent, Record, StepContext
from service.catalogue.steps.polling import Pauses, read
from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.retry import call_with_retries

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Applied:
    """The look shows that the write has taken effect; `record` is what the step leaves."""

    record: Record


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """The look shows no effect; `basis` is what the write starts from."""

    basis: T


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """A write that must take effect once.

    `look` raises StepFailed where the target must not be written to any more. `what` names the
    write in the sentence of a failure.
    """

    step: str
    what: str
    look: Callable[[], Applied | Pending[T]]
    send: Callable[[T], Record]


def apply_once(context: StepContext, intent: Intent, write: Write[T], timings: Timings) -> Record:
    """Bring the write to its effect and return the step's record.

    When it gives up and nothing can have taken effect, the intent is withdrawn: the run has
    written nothing by it.

    Raises:
        StepFailed: it stays unknown whether it was taken, or `look` forbids it.
        VendorError: the vendor refused it, or stayed unreachable.
        FencedOut: another execution owns this run.
    """
    applying = _Applying(context, write, timings, unsure=intent.repeated)
    try:
        return applying.bring()
    except (StepFailed, VendorError):
        if not applying.unsure:
            context.withdraw(intent.name)
        raise


@dataclass(slots=True)
class _Applying(Generic[T]):
    """One write on its way. `unsure` is whether a sending of it may have taken effect."""

    context: StepContext
    write: Write[T]
    timings: Timings
    unsure: bool

    def bring(self) -> Record:
        """Send, look, and send again only what had no effect."""
        for _ in range(self.timings.write_attempts):
            if self.unsure and (seen := self._settled()):
                return seen.record
            try:
                return call_with_retries(
                    self._attempt,
                    clock=self.context.clock,
                    attempts=self.timings.retry_attempts,
                    budget_s=self.timings.asked_wait_s,
                )
            except VendorError as problem:
                if problem.kind is not FailureKind.UNKNOWN:
                    raise
                last = problem
        if seen := self._settled():
            return seen.record
        raise StepFailed(
            self.write.step,
            f"{last} It was sent {self.timings.write_attempts} times, and "
            f"{self.timings.settle_unknown_s:.0f} s after the last time it had no effect, so "
            "nothing more is sent. Look at the vendor's status page.",
        )

    def _attempt(self) -> Record:
        """One look and one send, together, so that a retry starts from a fresh look."""
        seen = self.write.look()
        if isinstance(seen, Applied):
            return seen.record
        self.context.fence()
        try:
            return self.write.send(seen.basis)
        except VendorError as problem:
            self._note(problem)
            raise

    def _note(self, problem: VendorError) -> None:
        what = self.write.what
        if problem.kind is FailureKind.UNKNOWN:
            self.unsure = True
            self.context.progress(f"{problem} Looking whether it was taken all the same.")
        elif problem.retry_after is not None:
            self.context.progress(f"Not taken yet: {what}. {problem}")

    def _settled(self) -> Applied | None:
        """Look for as long as the effect of an unanswered write may still appear."""
        clock, timings = self.context.clock, self.timings
        pauses = Pauses(clock, timings)
        until = clock.monotonic() + timings.settle_unknown_s
        while True:
            over = clock.monotonic() >= until
            seen = read(
                self.write.look, clock=clock, timings=timings, budget_s=timings.asked_wait_s
            )
            if isinstance(seen, Applied):
                return seen
            if over:
                return None
            pauses.wait()
