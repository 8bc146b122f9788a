"""The verdict on one wish: which guards are asked in which order, and what they answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from service.domain.alerts.episodes import Transition
from service.domain.decisions.claims import Cooldown, check_cooldown, direction_of, telling_claim
from service.domain.decisions.decision import Check, Decision, Verdict
from service.ports.admission import (
    Claimed,
    Delivery,
    EpisodeRecord,
    GateReply,
    IncidentRecord,
    Transaction,
)
from service.triggers.alerts.asks import Candidate, Wish
from service.triggers.alerts.runs import RunMaker

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
        self._won: dict[str, Check] = {}
        self._pages: dict[str, Claimed] = {}
        self._reopened: set[str] = set()

    def take_claims(
        self,
        claims: Collection[str],
        new_groups: Collection[str],
        cooldowns: Mapping[str, Cooldown],
    ) -> None:
        """Take every claim that is free by the `cooldowns` on record, for the first firing alert
        that wants it, and the claims of groups that no page has been about yet.

        In the order of their names, so that two processes never wait for each other's claims.
        """
        self.cooldowns = dict(cooldowns)
        for claim in sorted({*claims, *new_groups}):
            if claim in new_groups:
                self._pages[claim] = self._transaction.claim(claim, self._now)
                continue
            check = check_cooldown(claim, self.cooldowns.get(claim), self._now)
            if check.passed:
                claimed = self._transaction.claim(claim, self._now)
                self.cooldowns[claim] = claimed.cooldown
                if claimed.won:
                    self._won[claim] = check

    def resolved(self, wish: Wish) -> Decision:
        """A resolved alert never makes anything happen but the end of its incident."""
        check = Check("resolved", passed=False, saw="the sender says it is resolved")
        return _decision(wish, Verdict.HOLD, "resolved: nothing to do", (check,))

    def test(
        self, wish: Wish, candidate: Candidate, record: EpisodeRecord, delivery: Delivery
    ) -> Decision:
        """A firing test is never acted on. Slack shows once in an hour that it came."""
        alert, claim = candidate.alert, wish.claim
        cooldown = self.cooldowns[claim]
        if self._won.pop(claim, None) is None:
            self._runs.join(cooldown.run, record.id)
            shown = f"Slack was told of a test by run {cooldown.run}, or is being told"
            run = None
        else:
            run = self._runs.start(wish, alert, record.id, delivery, cooldown)
            shown = f"Slack is told by run {run}"
        saw = f"{alert.name or 'this alert'} is a test notification"
        check = Check("test", passed=False, saw=saw)
        reason = f"{saw}: never acted on; {shown}"
        return _decision(wish, Verdict.REJECT, reason, (check,), run=run)

    def firing(
        self,
        wish: Wish,
        candidate: Candidate,
        record: EpisodeRecord,
        delivery: Delivery,
        what: Transition,
    ) -> Decision:
        """Act, when every guard lets it pass and the claim is won; otherwise hold, and why."""
        if wish.barred is not None:
            reason = f"{wish.barred.saw}, and nothing is changed without one"
            return _decision(wish, Verdict.HOLD, reason, (wish.barred,))
        if wish.incident is not None:
            return self._page(wish, candidate, record, delivery, what)
        claim = wish.claim
        cooldown = self.cooldowns[claim]
        won = self._won.pop(claim, None)
        if won is not None:
            run = self._runs.start(wish, candidate.alert, record.id, delivery, cooldown)
            return _decision(
                wish, Verdict.ACT, self._why(wish, run), self._checks(claim, won), run=run
            )
        self._runs.join(cooldown.run, record.id)
        check = check_cooldown(claim, cooldown, self._now)
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
        if delivery.replay and not record.open:
            check = Check("resolved", passed=False, saw="no sender says that it fires now")
            reason = "a replay pages nobody about an alert that is over"
            return _decision(wish, Verdict.HOLD, reason, (check,))
        incident = self._runs.incident(wish, delivery)
        known = candidate.identity in incident.members and what is not Transition.OPENED
        if not (known and incident.paged):
            run = self._page_run(wish, candidate, record, delivery, incident)
            return _paging(wish, "the pager does not know this alert yet", run)
        if what is Transition.REOPENED:
            closing = self._closing(incident)
            if closing is not None and closing.won:
                run = self._runs.page(
                    wish, incident, candidate.alert, record.id, delivery, closing.cooldown
                )
                return _paging(wish, "it fires again while its incident is being closed", run)
        check = Check("paged", passed=False, saw=f"incident {incident.dedup_key} is open")
        return _decision(wish, Verdict.HOLD, "already paged; the incident is open", (check,))

    def _closing(self, incident: IncidentRecord) -> Claimed | None:
        """The claim of the run that resolves an incident all of whose alerts had resolved.

        Not won: that run has yet to begin, and will see that an alert fires. Won: it has begun,
        and may have looked before this commit. None: there is no such run, or this batch has
        asked before.
        """
        key = incident.dedup_key
        if key in self._reopened:
            return None
        self._reopened.add(key)
        if self._transaction.open_members({key}).get(key):
            return None
        return self._page_claim(telling_claim(incident.rule, key, "resolve"))

    def _page_claim(self, claim: str) -> Claimed:
        """A claim tried once is locked by this transaction: later alerts know the answer."""
        claimed = self._pages.get(claim) or self._transaction.claim(claim, self._now)
        self._pages[claim] = Claimed(won=False, cooldown=claimed.cooldown)
        return claimed

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
        claimed = self._page_claim(wish.claim)
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
        if not self._gate.asked:
            return (check,)
        if not self._gate.available:
            return (_WITHOUT_REDIS, check)
        run = self._gate.resting.get(claim)
        if run is None:
            saw = f"Redis: nothing rests on {claim}"
        elif check.passed:
            saw = f"Redis still says that {claim} rests after {run}; SQL, which decides, does not"
        else:
            saw = f"Redis: {claim} rests after {run}"
        return (Check("redis_gate", passed=run is None or check.passed, saw=saw), check)


def _paging(wish: Wish, saw: str, run: str) -> Decision:
    check = Check("paged", passed=True, saw=saw)
    return _decision(wish, Verdict.ACT, f"page the person on call: run {run}", (check,), run=run)


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
