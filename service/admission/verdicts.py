"""The verdict on one wish: which guards are asked in which order, and what they answer."""

from __future__ import annotations

from service.admission.asks import Candidate, Wish
from service.admission.runs import RunMaker
from service.domain.claims import Cooldown, check_cooldown, direction_of
from service.domain.decision import Check, Decision, Verdict
from service.domain.episodes import Transition
from service.ports.admission import (
    Delivery,
    EpisodeRecord,
    GateReply,
    IncidentRecord,
    Transaction,
)

_WITHOUT_REDIS = Check("redis_gate", passed=True, saw="Redis did not answer: decided on SQL alone")


class Verdicts:
    """Decides wishes within one batch; `cooldowns` is what the batch has read and claimed."""

    def __init__(
        self, transaction: Transaction, runs: RunMaker, gate: GateReply, now: float
    ) -> None:
        self._transaction = transaction
        self._runs = runs
        self._gate = gate
        self._now = now
        self.cooldowns: dict[str, Cooldown] = {}

    def resolved(self, wish: Wish) -> Decision:
        """A resolved alert never makes anything happen but the end of its incident."""
        check = Check("resolved", passed=False, saw="the sender says it is resolved")
        return _decision(wish, Verdict.HOLD, "resolved: nothing to do", (check,))

    def firing(
        self,
        wish: Wish,
        candidate: Candidate,
        record: EpisodeRecord,
        delivery: Delivery,
        what: Transition,
    ) -> Decision:
        """Act, when every guard lets it pass and the claim is won; otherwise hold, and why."""
        if wish.incident is not None:
            return self._page(wish, candidate, record, delivery, what)
        claim = wish.claim
        cooldown = self.cooldowns.get(claim)
        check = check_cooldown(claim, cooldown, self._now)
        if check.passed:
            claimed = self._transaction.claim(claim, self._now)
            self.cooldowns[claim] = cooldown = claimed.cooldown
            if claimed.won:
                run = self._runs.start(wish, candidate.alert, record.id, delivery, cooldown)
                return _decision(
                    wish, Verdict.ACT, self._why(wish, run), self._checks(claim, check), run=run
                )
            check = check_cooldown(claim, cooldown, self._now)
        assert cooldown is not None  # noqa: S101 - a failed check has seen one
        self._runs.join(cooldown.run, record.id)
        until = None if cooldown.busy else cooldown.until
        return _decision(wish, Verdict.HOLD, check.saw, self._checks(claim, check), until=until)

    def _page(
        self,
        wish: Wish,
        candidate: Candidate,
        record: EpisodeRecord,
        delivery: Delivery,
        what: Transition,
    ) -> Decision:
        incident = self._runs.incident(wish, delivery)
        known = candidate.identity in incident.members and what is not Transition.OPENED
        if known and incident.paged:
            check = Check("paged", passed=False, saw=f"incident {incident.dedup_key} is open")
            return _decision(wish, Verdict.HOLD, "already paged; the incident is open", (check,))
        run = self._page_run(wish, candidate, record, delivery, incident)
        check = Check("paged", passed=True, saw="the pager does not know this alert yet")
        return _decision(
            wish, Verdict.ACT, f"page the person on call: run {run}", (check,), run=run
        )

    def _page_run(
        self,
        wish: Wish,
        candidate: Candidate,
        record: EpisodeRecord,
        delivery: Delivery,
        incident: IncidentRecord,
    ) -> str:
        """A new page run, or the one that waits: it will tell the incident's state as it is then.

        The claim is tried even when it is known to be taken, because trying locks it: the run
        that holds it cannot begin, and so not miss this alert, before this commit.
        """
        incident.members.add(candidate.identity)
        incident.added.add(candidate.identity)
        claimed = self._transaction.claim(wish.claim, self._now)
        if claimed.won:
            return self._runs.page(
                wish, incident, candidate.alert, record.id, delivery, claimed.cooldown
            )
        self._runs.join(claimed.cooldown.run, record.id)
        return claimed.cooldown.run

    def _why(self, wish: Wish, run: str) -> str:
        verb = wish.rule.action.value.replace("_", " ")
        target = f" on {wish.rule.target}" if wish.rule.target else ""
        return f"{verb}{target}: rule {wish.rule.name} matches and nothing holds it back; run {run}"

    def _checks(self, claim: str, check: Check) -> tuple[Check, ...]:
        if not self._gate.available:
            return (_WITHOUT_REDIS, check)
        run = self._gate.resting.get(claim)
        if run is None:
            return (check,)
        return (
            Check("redis_gate", passed=check.passed, saw=f"Redis: {claim} rests after {run}"),
            check,
        )


def _decision(
    wish: Wish,
    verdict: Verdict,
    reason: str,
    checks: tuple[Check, ...],
    *,
    until: float | None = None,
    run: str | None = None,
) -> Decision:
    rule = wish.rule
    return Decision(
        verdict=verdict,
        rule=rule.name,
        action=rule.action,
        target=rule.target,
        direction=direction_of(rule.action),
        reason=reason,
        guard=checks[-1].guard,
        checks=checks,
        until=until,
        run=run,
    )
