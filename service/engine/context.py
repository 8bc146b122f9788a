"""What a step may use: time that keeps the lock, recorded intents, and the fencing token."""

from __future__ import annotations

import structlog

from service.domain.decisions.decision import Check
from service.domain.decisions.guards import locked_by
from service.domain.decisions.requests import Request
from service.domain.errors import FencedOut, HeldBack, VendorError
from service.engine.off_duty import Duty
from service.engine.off_watch import OffDroplet
from service.engine.parts import WorkerParts
from service.ports import Clock, Message, MessageRef
from service.ports.runs import Intent

_log = structlog.get_logger(__name__)

_MUTE_S = 60.0
"""After a message that could not be sent, none is tried for so long: in a section in which a
droplet is off, each time-out of the messenger would be one of an outage."""


class LockKeepingClock:
    """A clock whose `sleep` renews the target's lock, so that no wait outlasts it."""

    _STRIDE_S = 15.0
    """A quarter of the lock's life."""

    def __init__(self, parts: WorkerParts, resource: str, owner: str) -> None:
        self._parts = parts
        self._resource = resource
        self._owner = owner
        self._renewed = parts.clock.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._parts.clock.time()

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        return self._parts.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, and renew the lock when a quarter of its life has gone."""
        while seconds > 0:
            stride = min(seconds, self._STRIDE_S)
            self._parts.clock.sleep(stride)
            seconds -= stride
            if self.monotonic() - self._renewed >= self._STRIDE_S:
                self._renewed = self.monotonic()
                self._parts.locks.lock(self._resource, self._owner)


class RunContext:
    """The context of one execution of a run; `request` is given where it changes a target."""

    def __init__(
        self,
        parts: WorkerParts,
        run_id: str,
        attempt: int,
        resource: str,
        request: Request | None = None,
    ) -> None:
        self._parts = parts
        self._run_id = run_id
        self._attempt = attempt
        self._resource = resource
        self._request = request
        self._entered = request is None
        self._intents: list[str] = []
        self._duty: Duty | None = None
        self._clock = LockKeepingClock(parts, resource, run_id)
        self.thread: MessageRef | None = None
        self._muted_until = 0.0

    @property
    def run_id(self) -> str:
        """The id of the run that this execution belongs to."""
        return self._run_id

    @property
    def clock(self) -> Clock:
        """A clock whose waits keep the target's lock alive."""
        return self._clock

    def intent(self, name: str) -> Intent:
        """Record, durably and once per run, that a write is about to be sent."""
        intent = self._parts.runs.intend(self._run_id, name, self._clock.time())
        if not intent.repeated:
            self._intents.append(name)
        return intent

    def withdraw(self, name: str) -> None:
        """Forget an intent whose write certainly had no effect, while this run is still ours."""
        self._parts.runs.withdraw(self._run_id, name, self._attempt)

    def fence(self) -> None:
        """Refuse to write when another execution owns this run, or when a guard holds its first
        write.

        Raises:
            FencedOut: another execution owns it.
            HeldBack: a person has paused, locked or cancelled it meanwhile, or a limit is reached.
        """
        self._require_ours()
        if self._entered or self._request is None:
            return
        # Before SQL, which counts a change as made once it is let in.
        held = self._locked_elsewhere() or self._parts.runs.enter(
            self._request, self._parts.clock.time()
        )
        if held is not None:
            for name in self._intents:  # nothing was sent
                self.withdraw(name)
            raise HeldBack("guards", held.saw, held.guard, held.until)
        self._entered = True

    def _locked_elsewhere(self) -> Check | None:
        """The lock of a person of another installation, which SQL does not know. It may have come
        since the run took its own. A former execution may have written, so a later one goes on."""
        if self._request is None or self._attempt > 1:
            return None
        owner = self._parts.locks.locked_elsewhere(self._resource)
        if owner is None:
            return None
        return locked_by(self._request.target.name, owner, self._parts.clock.time())

    def _require_ours(self) -> None:
        current = self._parts.runs.attempt(self._run_id)
        if current != self._attempt:
            raise FencedOut(self._run_id, self._attempt, current)

    def off_duty(self, droplet: str) -> Duty:
        """What stands behind the droplet that this run switches off; the same in all its steps."""
        if self._duty is None:
            off = OffDroplet(self._run_id, droplet, self._resource)
            self._duty = Duty(self._parts, off, self._require_ours, lambda: self.thread)
        return self._duty

    def progress(self, text: str) -> None:
        """Tell the run's thread; a message that cannot be sent is only logged."""
        if self.thread is None or self._clock.monotonic() < self._muted_until:
            return
        try:
            self._parts.messenger.post(Message(title="", text=text), self.thread)
        except VendorError as error:
            self._muted_until = self._clock.monotonic() + _MUTE_S
            _log.warning("progress_not_told", run=self._run_id, text=text, error=str(error))
