"""Verified changes are judged by the alerts that asked for them: have these cleared in time?

An outcome is reserved before it is looked at, so of many workers one judges it. If that worker
dies, another does so a minute later, and comes to the same result.
"""

from __future__ import annotations

import structlog

from service.domain.decisions.expected import PENDING, Judged, seen
from service.engine.parts import WorkerParts
from service.ports.outcomes import Outcome

_log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Outcomes of one round; each target has a few at most."""
RESERVED_S = 60.0
"""How long outcomes are reserved for the worker that took them."""


class JudgingRound:
    """Looks at the outcomes that are due; called with each sign of it, on a thread of its own."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """One round over all that is due."""
        outcomes, clock = self._parts.outcomes, self._parts.clock
        while taken := outcomes.take(clock.time(), RESERVED_S, AT_ONCE):
            for each in taken:
                self._judge(each)

    def _judge(self, outcome: Outcome) -> None:
        now = self._parts.clock.time()
        found = seen(outcome.judged, outcome.sequels, now, self._parts.refire_grace_s)
        if self._parts.outcomes.keep(outcome.run, found, now) and _is_news(outcome.judged, found):
            _log.info(
                "outcome", run=outcome.run, rule=outcome.request.origin.by, result=found.result
            )


def _is_news(before: Judged, after: Judged) -> bool:
    return before.result == PENDING and after.result != PENDING
