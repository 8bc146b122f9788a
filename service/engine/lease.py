"""This worker's sign of life, kept by a thread that does nothing else and waits for no vendor.

A worker that was thought dead and is not finds itself retired, and ends: its runs are others' now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from service.domain.errors import StoreConflict, StoreUnavailable
from service.engine.parts import WorkerParts
from service.engine.rounds import Rounds
from service.engine.steps import look_again

_log = structlog.get_logger(__name__)

ROUNDS_PER_LEASE = 5
"""Four signs of life may be lost before others take this worker for dead."""
LATE_WRITE_S = 12.0
"""A worker that was stopped may be sending a write when it finds itself retired. After this long
that has arrived or never will: a request is given up after 10 s (`service.providers.waits`)."""


class LeaseKeeper:
    """Renews the lease of `executor`, `lease_s` seconds long; `under_way` are its runs."""

    def __init__(
        self,
        parts: WorkerParts,
        executor: str,
        lease_s: float,
        under_way: Callable[[], Collection[str]],
    ) -> None:
        self._parts = parts
        self._executor = executor
        self._under_way = under_way
        self._lease_s = lease_s
        self._rounds = Rounds("lease", lease_s / ROUNDS_PER_LEASE, self.renew)
        self._renewed_at = parts.clock.monotonic()

    def start(self) -> None:
        """Begin; the worker must be registered."""
        self._rounds.start()

    def stop(self) -> None:
        """Show no more life."""
        self._rounds.stop(self._lease_s)

    def renew(self) -> None:
        """Show life; end the process when another worker has retired this one."""
        try:
            alive = self._parts.leases.renew(self._executor)
        except (StoreUnavailable, StoreConflict) as error:
            silent_s = round(self._parts.clock.monotonic() - self._renewed_at, 1)
            _log.warning("lease_not_renewed", error=str(error), silent_s=silent_s)
            return
        if not alive:
            self._end()
        self._renewed_at = self._parts.clock.monotonic()

    def _end(self) -> None:
        for run_id in self._under_way():
            look_again(self._parts, run_id, f"retired.{self._executor}", LATE_WRITE_S)
        self._parts.end_process(
            f"worker {self._executor} was retired by another one: its runs are others' now"
        )
