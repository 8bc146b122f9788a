"""Verified changes are judged by the alerts that asked for them: have these cleared in time?

An outcome is reserved before it is looked at, so of many workers one judges it. If that worker
dies, another does so a minute later, and comes to the same result. Where a rule has made so many
changes in a row without effect as it says, somebody is paged, and it makes no more of them.
"""

from __future__ import annotations

import structlog

from service.domain.decisions.expected import PENDING, Judged, seen
from service.domain.decisions.requests import Request
from service.engine import outbox, reports
from service.engine.parts import WorkerParts
from service.messages.demoted import demoted
from service.messages.in_vain import given_up, page_in_vain
from service.ports.outcomes import Outcome

_log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Outcomes of one round; each target has a few at most."""
RESERVED_S = 60.0
"""How long outcomes are reserved for the worker that took them."""


class JudgingRound:
    """Looks at the outcomes that are due, and tells of rules that have demoted themselves; called
    with each sign of it, on a thread of its own."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """One round over all that is due."""
        outcomes, clock = self._parts.outcomes, self._parts.clock
        while taken := outcomes.take(clock.time(), RESERVED_S, AT_ONCE):
            for each in taken:
                self._judge(each)
        for demotion in self._parts.demotions.untold():
            outbox.post(demoted(demotion), self._parts)
            self._parts.demotions.told(demotion.id, clock.time())
            _log.warning("rule_demoted", rule=demotion.rule, mode=demotion.mode, why=demotion.why)

    def _judge(self, outcome: Outcome) -> None:
        now = self._parts.clock.time()
        expected = outcome.request.policy.expected
        found = seen(
            outcome.judged,
            outcome.sequels,
            now,
            self._parts.refire_grace_s,
            counted=expected is not None and expected.give_up > 0,
        )
        if not self._parts.outcomes.keep(outcome.run, found, now):
            return
        if _is_news(outcome.judged, found):
            _log.info(
                "outcome", run=outcome.run, rule=outcome.request.origin.by, result=found.result
            )
        if found.counts:
            self._give_up(outcome.request)

    def _give_up(self, request: Request) -> None:
        """Page once where the rule's changes do not help. It is asked with each look, because a
        worker may have died between the judgement and the page."""
        expected, parts = request.policy.expected, self._parts
        if expected is None or not expected.give_up:
            return
        target = request.target.name
        in_vain = parts.outcomes.in_vain(request.origin.by, target, request.direction)
        if len(in_vain) < expected.give_up:
            return
        page = page_in_vain(in_vain)
        state = parts.incidents.state(page.dedup_key)
        if state is not None and state.incident.paged:
            return
        reports.page(page, parts)
        alerts = dict.fromkeys(alert for each in in_vain for alert in each.alerts)
        reports.close_when_resolved(page, in_vain[-1].request, tuple(alerts), parts)
        outbox.post(given_up(in_vain), parts)


def _is_news(before: Judged, after: Judged) -> bool:
    return before.result == PENDING and after.result != PENDING
