"""The heartbeat: while the whole is well, one of the workers says so to an address outside.

Whoever watches that address wakes a person when it is silent, also where everything of runbookd is
down. A call that fails harms nothing: it has a thread of its own, and its answer is only noted.
"""

from __future__ import annotations

import structlog

from service.domain.errors import VendorError
from service.domain.heartbeat import EVERY_S, why_unwell
from service.engine.parts import WorkerParts

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker asks whether it is the one that says so, in seconds. Each question is a write,
and shows that the database takes writes."""
AGAIN_S = 15.0
"""What could not be said is tried again this much later, by whichever worker comes first: the
network of the one that tried may be the reason."""


class HeartbeatRound:
    """Says that all is well, once a minute of all workers together.

    It is called with each third sign of life of this worker, so a worker whose signs of life are
    not written says nothing.
    """

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0

    def __call__(self, _sign: bool) -> None:
        """One round."""
        parts, at = self._parts, self._parts.clock.monotonic()
        if parts.heartbeat is None or at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        now = parts.clock.time()
        if not parts.heartbeats.take(now, EVERY_S):
            return
        problem = why_unwell(parts.heartbeats.waiting(), now)
        if problem:
            _log.error("heartbeat_withheld", why=problem)
        else:
            problem = self._say()
        parts.heartbeats.said(parts.clock.time(), problem, AGAIN_S)

    def _say(self) -> str:
        """Call the address; why that failed, empty where it did not."""
        assert self._parts.heartbeat is not None  # noqa: S101 - asked for by the caller
        try:
            self._parts.heartbeat.beat()
        except VendorError as error:
            _log.warning("heartbeat_not_taken", error=str(error))
            return str(error)
        return ""
