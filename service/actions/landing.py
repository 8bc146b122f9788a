"""Sending a write so that it takes effect once: look, send, and after silence look again.

Vendors have no idempotency keys for what we change, so a write whose answer never came is never
simply repeated; it is sent again only when a look shows that it had no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.actions.base import Intent, Record, StepContext
from service.actions.polling import Pauses, read
from service.actions.retry import call_with_retries
from service.actions.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Landed:
    """The look shows that the write has taken effect; `record` is what the step leaves."""

    record: Record


@dataclass(frozen=True, slots=True)
class Clear(Generic[T]):
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
    look: Callable[[], Landed | Clear[T]]
    send: Callable[[T], Record]


def land(context: StepContext, intent: Intent, write: Write[T], timings: Timings) -> Record:
    """Bring the write to its effect and return the step's record.

    Raises:
        StepFailed: it stays unknown whether it was taken, or `look` forbids it.
        VendorError: the vendor refused it, or stayed unreachable.
        FencedOut: another execution owns this run.
    """
    unsure = intent.repeated
    for _ in range(timings.write_attempts):
        if unsure and (seen := _settled(context, write, timings)):
            return seen.record
        try:
            return call_with_retries(
                lambda: _attempt(context, write),
                clock=context.clock,
                attempts=timings.retry_attempts,
                budget_s=timings.retry_budget_s,
            )
        except VendorError as problem:
            if problem.kind is not FailureKind.UNKNOWN:
                raise
            context.progress(f"No answer to: {write.what}. Looking whether it was taken.")
        unsure = True
    if seen := _settled(context, write, timings):
        return seen.record
    raise StepFailed(
        write.step,
        f"{write.what}: sent {timings.write_attempts} times, never confirmed, and without effect "
        f"{timings.settle_unknown_s:.0f} s after the last time. Check the vendor's status page and "
        "the target; nothing more is sent.",
    )


def _attempt(context: StepContext, write: Write[T]) -> Record:
    """One look and one send, together, so that a retry starts from a fresh look."""
    seen = write.look()
    if isinstance(seen, Landed):
        return seen.record
    context.fence()
    return write.send(seen.basis)


def _settled(context: StepContext, write: Write[T], timings: Timings) -> Landed | None:
    """Look for as long as the effect of an unanswered write may still appear."""
    pauses = Pauses(context.clock, timings)
    until = context.clock.monotonic() + timings.settle_unknown_s
    while True:
        over = context.clock.monotonic() >= until
        seen = read(write.look, clock=context.clock, timings=timings)
        if isinstance(seen, Landed):
            return seen
        if over:
            return None
        pauses.wait()
