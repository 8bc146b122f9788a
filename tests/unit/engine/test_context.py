"""What a step may use: the lock that its waits keep, and the mute after a message was lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from service.domain.errors import FailureKind, VendorError
from service.engine.context import LockKeepingClock, RunContext
from service.ports import MessageRef
from service.store.coordination import LOCK_MS
from tests.fakes.clock import FakeClock, JumpingClock
from tests.fakes.engine import FakeLocks, FakeWorker

RUN, RESOURCE = "worker-vm.up.1", "do-droplet:101"
LOCK_S = LOCK_MS / 1000
HOUR_S = 3_600.0
CLOCKS = pytest.mark.parametrize(
    "clock",
    [FakeClock(), JumpingClock([HOUR_S]), JumpingClock([-HOUR_S]), JumpingClock([HOUR_S, -HOUR_S])],
    ids=["steady", "ahead", "back", "to and fro"],
)


@dataclass(slots=True)
class NotedLocks(FakeLocks):
    """Notes when each lock was taken or renewed, and for whom."""

    clock: FakeClock = field(default_factory=FakeClock)
    noted: list[tuple[float, str, str]] = field(default_factory=list)

    def lock(self, resource: str, run: str) -> str | None:
        self.noted.append((self.clock.monotonic(), resource, run))
        return None


@CLOCKS
@pytest.mark.parametrize("wait_s", [0.5, 7.0, 30.0, 1_800.0])
def test_no_wait_of_a_step_outlasts_the_targets_lock(clock: FakeClock, wait_s: float) -> None:
    locks = NotedLocks(clock=clock)
    keeping = LockKeepingClock(FakeWorker(clock=clock, locks=locks).parts, RESOURCE, RUN)
    began = clock.monotonic()
    while clock.monotonic() - began < 1_800.0:
        keeping.sleep(wait_s)

    renewed = [began, *(at for at, _, _ in locks.noted), clock.monotonic()]
    # One renewal may be lost, and the lock still be there.
    assert max(later - sooner for sooner, later in pairwise(renewed)) < LOCK_S / 2
    assert {(resource, run) for _, resource, run in locks.noted} == {(RESOURCE, RUN)}


def test_a_lock_is_not_renewed_at_each_of_many_short_waits() -> None:
    worker = FakeWorker()
    locks = NotedLocks(clock=worker.clock)
    worker.locks = locks
    keeping = LockKeepingClock(worker.parts, RESOURCE, RUN)
    for _ in range(600):
        keeping.sleep(0.1)
    assert len(locks.noted) <= 4


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_the_mute_after_a_lost_message_lasts_a_minute_whatever_the_clock_does(
    jump_s: float,
) -> None:
    worker = FakeWorker()
    context = RunContext(worker.parts, RUN, 1, RESOURCE)
    context.thread = MessageRef("C000", "1")
    worker.messenger.problem = VendorError("slack", "post", FailureKind.TEMPORARY, "Away.")
    context.progress("Powering off.")
    worker.messenger.problem = None

    worker.clock.jump(jump_s)
    context.progress("Resizing.")
    assert worker.said() == []

    worker.clock.sleep(60.0)
    context.progress("Powering on.")
    assert worker.said() == [" | Powering on."]
