"""Old snapshots of runbookd's own are removed some days after a verified change: they are billed.

What cannot be removed is tried again each day. After a week of that a person is told once, in the
log, and it stays.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from service.catalogue.context import Record
from service.catalogue.registry import kind_spec
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, VendorError
from service.engine.parts import WorkerParts
from service.ports.leftovers import Leftover

_log = structlog.get_logger(__name__)

AT_ONCE = 5
"""Leftovers of one round: two requests each."""
AGAIN_S = 86_400.0
MOST_TRIES = 7
NOT_FOUND = 404


def keep(request: Request, records: Mapping[str, Record], parts: WorkerParts) -> None:
    """A run is verified: note what it has left, and when that is to be removed."""
    leftover = kind_spec(request.target.kind).leftover
    if leftover is None or leftover.step not in records:
        return
    due_at = parts.clock.time() + parts.keep_leftovers_s
    parts.leftovers.put(request.id, records[leftover.step], due_at)


def _remove(request: Request, left: Leftover, parts: WorkerParts) -> None:
    leftover = kind_spec(request.target.kind).leftover
    if leftover is not None:
        leftover.remove(parts.work_of(request.target), request, dict(left.what))


class LeftoverRound:
    """Removes what is due; called with each sign of it, on a thread of its own."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """One round."""
        leftovers, clock = self._parts.leftovers, self._parts.clock
        for each in leftovers.take(clock.time(), AGAIN_S, AT_ONCE):
            if self._is_gone(each):
                leftovers.removed(each.run, clock.time())

    def _is_gone(self, left: Leftover) -> bool:
        """Whether it is removed, or need not be tried any more."""
        run = self._parts.runs.get(left.run)
        if run is None:
            return True
        try:
            _remove(run.request, left, self._parts)
        except VendorError as error:
            if error.kind is FailureKind.PERMANENT and error.status == NOT_FOUND:
                return True
            last = left.tries + 1 >= MOST_TRIES
            say = _log.error if last else _log.warning
            say(
                "leftover_not_removed",
                run=left.run,
                what=dict(left.what),
                error=str(error),
                next_try="none: remove it by hand" if last else "in a day",
            )
            return last
        _log.info("leftover_removed", run=left.run, what=dict(left.what))
        return True
