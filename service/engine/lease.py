"""This worker's sign of life, kept by a thread that does nothing else and waits for no vendor.

The same statement says what there may be to do for the supervisor (`service.engine.supervision`),
so a worker at rest asks the database for nothing else in its rounds.

A worker that was thought dead and is not finds itself retired, and ends: its runs are others' now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NoReturn

import structlog

from service.domain.errors import StoreConflict, StoreUnavailable
from service.engine.parts import WorkerParts
from service.engine.rounds import Rounds
from service.engine.steps import look_again
from service.ports.runs import Signs

_log = structlog.get_logger(__name__)

ROUNDS_PER_LEASE = 5
"""Four signs of life may be lost before others take this worker for dead."""
LATE_WRITE_S = 25.0
"""A worker that was stopped may be sending a write when it finds itself retired. After this long
that has arrived or never will: a request is given up after 10 s, a resize of a database after 23 s
(`service.providers.waits`, `service.providers.supabase`)."""


class LeaseKeeper:
    """Renews the lease of `executor`, `lease_s` seconds long; `under_way` are its runs.

    `tell` is told what was seen with each sign of life; it must not wait for anything.
    """

    def __init__(
        self,
        parts: WorkerParts,
        executor: str,
        lease_s: float,
        under_way: Callable[[], Collection[str]],
        tell: Callable[[Signs], None],
    ) -> None:
        self._parts = parts
        self._executor = executor
        self._under_way = under_way
        self._tell = tell
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
            signs = self._parts.leases.renew(self._executor)
        except (StoreUnavailable, StoreConflict) as error:
            silent_s = round(self._parts.clock.monotonic() - self._renewed_at, 1)
            _log.warning("lease_not_renewed", error=str(error), silent_s=silent_s)
            return
        if signs is None:
            self._end()
        self._renewed_at = self._parts.clock.monotonic()
        self._tell(signs)

    def _end(self) -> NoReturn:
        for run_id in self._under_way():
            look_again(self._parts, run_id, f"retired.{self._executor}", LATE_WRITE_S)
        self._parts.end_process(
            f"worker {self._executor} was retired by another one: its runs are others' now"
        )
