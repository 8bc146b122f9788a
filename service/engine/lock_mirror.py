"""Shows other installations on the same Redis what people of this one have locked.

SQL has the locks, and whoever puts or ends one shows that at once. This round shows them again, so
that a Redis that was away, or has lost its data, knows them too, and knows none that has ended. The
worker's own runs are held by SQL alone.
"""

from __future__ import annotations

from service.domain.decisions.controls import locks_by_resource
from service.engine.parts import WorkerParts

AGAIN_S = 60.0
"""How often it is shown that nothing is locked, in seconds: a Redis that was restored from an old
snapshot may say otherwise, and would hold other installations until that lock's end."""


class LockMirrorRound:
    """Shows all locks, or that there are none; called with each sign of life, on a thread of its
    own."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._shown = False
        self._next_at = 0.0  # at once: a worker before this one may have left something there

    def __call__(self, locked: bool) -> None:
        """One round. Where nothing is locked, it asks the database for nothing."""
        clock, book = self._parts.clock, self._parts.book()
        resources = {} if book is None else book.resources
        if not locked and not self._shown and clock.monotonic() < self._next_at:
            return
        now = clock.time()
        controls = self._parts.controls.in_force() if locked else ()
        locks = locks_by_resource(controls, resources, now)
        taken = self._parts.lock_mirror.show(sorted(set(resources.values())), locks, now)
        self._shown = bool(locks) or not taken
        self._next_at = clock.monotonic() + AGAIN_S
