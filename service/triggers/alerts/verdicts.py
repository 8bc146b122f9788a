"""The verdict on one candidate: judged by what was read, and concluded once the claims are taken.

Everything is judged first. Then all claims that are wanted are taken in one statement. Only who
won one acts; who lost is judged again by the cooldown that was lost to. So a claim is never taken
by an alert that a guard holds, and a claim without a run can't exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.catalogue.registry import action_spec
from service.domain.alerts.alert import AlertKind, young_until
from service.domain.alerts.episodes import Transition
from service.domain.alerts.flapping import FLAPPING, check_flapping
from service.domain.decisions.claims import COOLDOWN, NOTIFY, Cooldown, telling_claim
from service.domain.decisions.controls import Control, Subject, check_locks, check_pauses
from service.domain.decisions.decision import Check, Decision, Verdict
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.demotion import told_demoted
from service.domain.decisions.expected import check_in_vain
from service.domain.decisions.guards import (
    ARRIVAL_GUARDS,
    IGNORED,
    PAGE_GUARDS,
    TOLD_WHEN_HELD,
    Arrival,
    Facts,
    Guard,
    PageArrival,
    held_by,
    judge,
    limits_of_start,
    refuses,
)
from service.domain.decisions.policy import check_freezes
from service.domain.rules.rules import Rule
from service.ports.admission import (
    Claimed,
    Delivery,
    EpisodeRecord,
    GateReply,
    IncidentRecord,
    Transaction,
)
from service.triggers.alerts.candidates import Candidate, Matched, changes
from service.triggers.alerts.floods import Flooded, Floods
from service.triggers.alerts.notices import (
    Notice,
    hold_claim,
    hold_notice,
    people_notice,
    refusal_claim,
    refusal_notice,
    resolve_notice,
    rule_notice,
)
from service.triggers.alerts.runs import RunMaker

_NOTHING_TO_DO = "resolved: nothing to do"

_About = tuple[Candidate, bool, float | None, Check | None]
"""Whom the guards are asked about: the candidate, whether the alert fires, until when it is young,
and what its rule says of how often it turns. Everything else is the same for the whole batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What the guards say of a candidate: all checks, and the first that holds it.

    Alerts of which the guards say the same share it.
    """

    checks: tuple[Check, ...]
    held: Check | None

    @classmethod
    def by(cls, guards: Sequence[Guard[Facts]], facts: Facts) -> Said:
        """What these guards say of the facts."""
        return cls.of(judge(guards, facts))

    @classmethod
    def of(cls, checks: tuple[Check, ...]) -> Said:
        """What these checks say."""
        return cls(checks, held_by(checks))


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate of one alert with what the guards said, before any claim is taken.

    `claim` is what it may take: None where a guard holds it. `page` is what a page was judged by,
    `flood` the flood that tells of the alert already. `flapping` is what its rule says of how often
    it turns.
    """

    candidate: Candidate
    matched: Matched
    record: EpisodeRecord
    delivery: Delivery
    said: Said
    claim: str | None
    page: PageArrival | None = None
    flood: Flooded | None = None
    flapping: Check | None = None


class Verdicts:
    """Decides the candidates of one batch: `judge` each, `take_claims` once, `conclude` each.

    `cooldowns` are those of changes and messages, as read, and as they are once claims are taken.
    `in_vain` are, by rule and target, the changes in a row that had no effect. `demotions` are the
    rules that have demoted themselves.
    """

    def __init__(
        self, transaction: Transaction, runs: RunMaker, gate: GateReply, now: float
    ) -> None:
        self._transaction = transaction
        self._runs = runs
        self._gate = gate
        self._now = now
        self.cooldowns: dict[str, Cooldown] = {}
        self.in_vain: Mapping[tuple[str, str], Sequence[str]] = {}
        self.demotions: Mapping[str, Demotion] = {}
        self._wanted: set[str] = set()
        self._page_claims: set[str] = set()
        self._refired: dict[str, IncidentRecord] = {}
        self._claimed: dict[str, Claimed] = {}
        self._unspent: set[str] = set()
        self._said: dict[_About, Said] = {}
        self._said_of_pages: dict[PageArrival, Said] = {}
        self._holds: dict[tuple[Candidate, Said], Decision] = {}
        self._told: Mapping[str, Cooldown] = {}
        self._notices: dict[str, Notice] = {}
        self._floods = Floods(transaction, runs.changes, now)
        self._controls: Sequence[Control] = ()
        self._limits: dict[str, dict[str, Check | None]] = {}

    def begin(
        self,
        cooldowns: Mapping[str, Cooldown],
        told: Mapping[str, Cooldown],
        controls: Sequence[Control] = (),
    ) -> None:
        """The cooldowns on record, by which everything is judged; `told` are those of notices.
        `controls` are the pauses and locks."""
        self.cooldowns = dict(cooldowns)
        self._told = told
        self._controls = controls
        self._floods.begin()

    def judge(
        self,
        candidate: Candidate,
        matched: Matched,
        record: EpisodeRecord,
        delivery: Delivery,
        what: Transition,
        turns: Sequence[float] = (),
    ) -> Judged:
        """Ask every guard; what passes all of them wants its claim. `turns` are when the alert
        began to fire and resolved, oldest first, where a rule asks for it."""
        if candidate.incident is not None:
            return self._judge_page(candidate, matched, record, delivery, what)
        young = young_until(matched.alert, candidate.rule.after, self._now)
        flaps = candidate.rule.flapping
        flapping = check_flapping(turns, flaps, self._now) if flaps is not None else None
        said = self._asked((candidate, matched.alert.firing, young, flapping))
        claim = candidate.claim if said.held is None else None
        if claim is not None:
            self._wanted.add(claim)
        elif refuses(said.held):
            self._notice_refusal(candidate, matched, record, delivery)
        elif changes(candidate.rule) and not delivery.replay:
            self._notice_hold(candidate, matched, record, said.held)
        return Judged(candidate, matched, record, delivery, said, claim, flapping=flapping)

    def refuse_resolve(
        self,
        check: Check,
        matched: Matched,
        record: EpisodeRecord,
        delivery: Delivery,
    ) -> list[Judged]:
        """A resolve that ends nothing: people are told, and no guard is asked."""
        first = matched.candidates[0]
        self.notice(resolve_notice(first, matched.alert, record.id, delivery, check))
        said = Said.of((check,))
        return [
            Judged(candidate, matched, record, delivery, said, None)
            for candidate in matched.candidates
        ]

    def notice(self, notice: Notice) -> None:
        """Tell people, unless they were told a while ago; the first of a batch is told."""
        if self._is_news(notice.claim):
            self._notices[notice.claim] = notice

    def _notice_hold(
        self,
        candidate: Candidate,
        matched: Matched,
        record: EpisodeRecord,
        held: Check | None,
    ) -> None:
        told = held is not None and (held.guard == COOLDOWN or held.guard in TOLD_WHEN_HELD)
        # A storm of held alerts has one notice; its sentence is made for the first alone.
        if held is None or not told or not self._is_news(hold_claim(candidate.claim)):
            return
        alert, episode = matched.alert, record.id
        if held.guard == COOLDOWN:
            cooldown = self.cooldowns[candidate.claim]
            self.notice(hold_notice(candidate, alert, episode, cooldown, self._now))
        elif held.guard == FLAPPING:
            self.notice(rule_notice(candidate, alert, episode, held, self._now))
        else:
            self.notice(people_notice(candidate, alert, episode, held, self._now))

    def _notice_refusal(
        self, candidate: Candidate, matched: Matched, record: EpisodeRecord, delivery: Delivery
    ) -> None:
        if self._is_news(refusal_claim(delivery.credential, candidate.rule.name)):
            self.notice(refusal_notice(candidate, matched.alert, record.id, delivery))

    def _is_news(self, claim: str) -> bool:
        told = self._told.get(claim)
        return claim not in self._notices and (told is None or not told.holds(self._now))

    def take_claims(self) -> None:
        """Take all claims that are wanted and free, in one statement, and make the notices."""
        for own, flood in self._floods.divert():
            self._page_claims.discard(own)
            self._page_claims.add(flood)
        wanted = self._wanted | self._page_claims | self._closing_claims() | self._notices.keys()
        if not wanted:
            return
        self._claimed = self._transaction.claim(wanted, self._now)
        self._said.clear()
        self._unspent = {key for key, claimed in self._claimed.items() if claimed.won}
        self.cooldowns.update({key: self._claimed[key].cooldown for key in self._wanted})
        for claim, notice in self._notices.items():
            if self._spend(claim):
                self._runs.notice(notice, self._claimed[claim].cooldown)

    def conclude(self, judged: Judged) -> Decision:
        """Act, for the first that wanted a claim that was won; otherwise hold, and why."""
        if refuses(judged.said.held):
            return self._held(judged.candidate, judged.said)
        if judged.page is not None:
            return self._conclude_page(judged, judged.page)
        return self._conclude_claim(judged)

    def _conclude_claim(self, judged: Judged) -> Decision:
        """Of an alert that wants a change or a message."""
        candidate, alert = judged.candidate, judged.matched.alert
        if not alert.firing:
            return self._hold(candidate, judged.said, _NOTHING_TO_DO)
        if alert.kind is AlertKind.TEST:
            return self._conclude_test(judged)
        if judged.claim is None:
            return self._held(candidate, judged.said)
        cooldown = self.cooldowns[candidate.claim]
        if self._spend(judged.claim):
            run = self._runs.start(candidate, alert, judged.record.id, judged.delivery, cooldown)
            return _decision(candidate, Verdict.ACT, _why(candidate, run), judged.said, run=run)
        self._runs.join(cooldown.run, judged.record.id)
        return self._held(candidate, self._asked((candidate, True, None, judged.flapping)))

    def _conclude_test(self, judged: Judged) -> Decision:
        """A firing test is never acted on. Slack shows once in an hour that it came."""
        candidate, alert = judged.candidate, judged.matched.alert
        cooldown = self.cooldowns[candidate.claim]
        run = None
        if judged.claim is not None and self._spend(judged.claim):
            run = self._runs.start(candidate, alert, judged.record.id, judged.delivery, cooldown)
            shown = f"Slack is told by run {run}"
        else:
            self._runs.join(cooldown.run, judged.record.id)
            shown = f"Slack was told of a test by run {cooldown.run}, or is being told"
        saw = f"{alert.name or 'this alert'} is a test notification"
        check = Check("test", passed=False, saw=saw)
        reason = f"{saw}: never acted on; {shown}"
        return _decision(candidate, Verdict.REJECT, reason, Said.of((check,)), run=run)

    def _held(self, candidate: Candidate, said: Said) -> Decision:
        held = said.held or said.checks[-1]
        verdict = Verdict.REJECT if held.guard == IGNORED else Verdict.HOLD
        return self._hold(candidate, said, held.saw, verdict)

    def _hold(
        self, candidate: Candidate, said: Said, reason: str, verdict: Verdict = Verdict.HOLD
    ) -> Decision:
        """A decision from which nothing follows. It is made once for all alerts that share it."""
        known = self._holds.get((candidate, said))
        if known is None:
            until = said.held.until if said.held is not None else None
            known = _decision(candidate, verdict, reason, said, until=until)
            self._holds[candidate, said] = known
        return known

    def _asked(self, about: _About) -> Said:
        """What the guards say; they are asked once for all alerts of which they know the same."""
        known = self._said.get(about)
        if known is None:
            known = self._said[about] = Said.by(ARRIVAL_GUARDS, self._arrival(*about))
        return known

    def _arrival(
        self, candidate: Candidate, firing: bool, young: float | None, flapping: Check | None
    ) -> Arrival:
        """What the guards are asked by. All that may differ between two alerts is an argument,
        because the answer is known by the arguments (`_asked`)."""
        claim = candidate.claim
        return Arrival(
            firing=firing,
            claim=claim,
            changes=changes(candidate.rule),
            cooldown=self.cooldowns.get(claim),
            now=self._now,
            redis_asked=self._gate.asked,
            redis_answered=self._gate.available,
            cooldown_run=self._gate.cooling.get(claim),
            unmeasured=candidate.unmeasured,
            ignored=candidate.ignored,
            asker=candidate.asker,
            young_until=young,
            flapping=flapping,
            **self._limits_of(candidate.rule),
        )

    def _limits_of(self, rule: Rule) -> dict[str, Check | None]:
        """What pauses, locks, freeze windows and earlier changes say of what this rule changes;
        asked once for each rule in a batch."""
        if rule.target is None:
            return self._limits_of_start(rule) if changes(rule) else {}
        known = self._limits.get(rule.name)
        if known is None:
            direction = action_spec(rule.action).direction_of(rule.options)
            change = Subject(rule.target, rule.name, direction, rule.action)
            known = self._limits[rule.name] = {
                "pauses": check_pauses(self._controls, change, self._now),
                "locks": check_locks(self._controls, change, self._now),
                "freezes": check_freezes(rule.policy.freezes, rule.target, self._now),
                "in_vain": check_in_vain(
                    rule.policy.expected,
                    rule.target,
                    self.in_vain.get((rule.name, rule.target), ()),
                ),
                "demoted": told_demoted(self.demotions.get(rule.name)),
            }
        return known

    def _limits_of_start(self, rule: Rule) -> dict[str, Check | None]:
        """The same of a rule that starts a scenario."""
        known = self._limits.get(rule.name)
        if known is None:
            changes_ = [
                Subject(each, rule.name, NOTIFY, rule.action)
                for each in self._runs.started_targets(rule)
            ]
            known = self._limits[rule.name] = limits_of_start(
                changes_, self._controls, rule.policy.freezes, self._now
            )
        return known

    def _spend(self, claim: str) -> bool:
        """Whether this is the first that wants a claim which was won."""
        if claim not in self._unspent:
            return False
        self._unspent.remove(claim)
        return True

    # ---- Pages ----

    def _judge_page(
        self,
        candidate: Candidate,
        matched: Matched,
        record: EpisodeRecord,
        delivery: Delivery,
        what: Transition,
    ) -> Judged:
        """A page's claim is tried even when it is known to be taken, because trying locks it: the
        run that holds it cannot begin, and so not miss this alert, before this commit."""
        own = self._runs.known_incident(candidate)
        flood = self._floods.telling(matched.identity, what)
        incident = flood or own
        member = incident is not None and matched.identity in incident.members
        flooded = self._floods.as_part_of(flood, candidate) if flood is not None else None
        page = PageArrival(
            firing=matched.alert.firing,
            open=record.open,
            replay=delivery.replay,
            incident=(flooded.candidate if flooded else candidate).incident or "",
            known=member and what is not Transition.OPENED,
            paged=incident is not None and incident.paged,
            asker=candidate.asker,
        )
        said = self._asked_of_page(page)
        held, claim = said.held, None
        if held is None:
            claim = self._want_page(flooded, candidate, matched, delivery)
        elif refuses(held):
            self._notice_refusal(candidate, matched, record, delivery)
        elif held.guard == "paged" and what is Transition.REOPENED and incident is not None:
            claim = telling_claim(incident.rule, incident.dedup_key, "resolve")
            self._refired[incident.dedup_key] = incident
        return Judged(candidate, matched, record, delivery, said, claim, page, flooded)

    def _asked_of_page(self, page: PageArrival) -> Said:
        known = self._said_of_pages.get(page)
        if known is None:
            known = self._said_of_pages[page] = Said.by(PAGE_GUARDS, page)
        return known

    def _want_page(
        self, flooded: Flooded | None, candidate: Candidate, matched: Matched, delivery: Delivery
    ) -> str:
        """Make the alert a member of the incident that is to be paged; the claim of its page."""
        asks = flooded.candidate if flooded is not None else candidate
        incident = self._runs.incident(asks, delivery)
        incident.members.add(matched.identity)
        incident.added.add(matched.identity)
        self._page_claims.add(asks.claim)
        if flooded is None:
            self._floods.ask(incident, matched.identity, candidate, delivery)
        return asks.claim

    def _closing_claims(self) -> set[str]:
        """The claims of the runs that resolve incidents all of whose alerts had resolved, and of
        which one fires again.

        Not won: that run has yet to begin, and will see that an alert fires. Won: it has begun,
        and may have looked before this commit.
        """
        if not self._refired:
            return set()
        firing = self._transaction.open_members(self._refired)
        return {
            telling_claim(incident.rule, key, "resolve")
            for key, incident in self._refired.items()
            if not firing.get(key)
        }

    def _conclude_page(self, judged: Judged, page: PageArrival) -> Decision:
        candidate, said, held = judged.candidate, judged.said, judged.said.held
        if not page.firing:
            return self._hold(candidate, said, _NOTHING_TO_DO)
        flooded = judged.flood or self._floods.instead_of(candidate)
        asks = flooded.candidate if flooded is not None else candidate
        if held is None:
            return _paging(candidate, said, self._page_run(judged, asks), flooded)
        if judged.claim is not None and self._spend(judged.claim):
            again = self._asked_of_page(replace(page, reopened=True))
            run = self._new_page(judged, asks, judged.claim)
            return _paging(candidate, again, run, flooded)
        reason = (
            "already paged; the incident is open"
            if held.guard == "paged"
            else "a replay pages nobody about an alert that is over"
        )
        return self._hold(candidate, said, reason)

    def _page_run(self, judged: Judged, asks: Candidate) -> str:
        """A new page run, or the one that waits: that one will tell the incident's newest state."""
        claim = asks.claim
        if self._spend(claim):
            return self._new_page(judged, asks, claim)
        run = self._claimed[claim].cooldown.run
        self._runs.join(run, judged.record.id)
        return run

    def _new_page(self, judged: Judged, asks: Candidate, claim: str) -> str:
        return self._runs.page(
            asks,
            self._runs.incident(asks, judged.delivery),
            judged.matched.alert,
            judged.record.id,
            judged.delivery,
            self._claimed[claim].cooldown,
        )


def _why(candidate: Candidate, run: str) -> str:
    verb = candidate.rule.action.replace("_", " ")
    target = f" on {candidate.rule.target}" if candidate.rule.target else ""
    return (
        f"{verb}{target}: rule {candidate.rule.name} matches and nothing holds it back; run {run}"
    )


def _paging(candidate: Candidate, said: Said, run: str, flooded: Flooded | None = None) -> Decision:
    reason = f"page the person on call: run {run}"
    if flooded is not None:
        reason = (
            f"page the person on call, as part of a flood of incidents from {flooded.sender}: "
            f"run {run}"
        )
        said = Said.of((*said.checks, flooded.check))
    return _decision(candidate, Verdict.ACT, reason, said, run=run)


def _decision(
    candidate: Candidate,
    verdict: Verdict,
    reason: str,
    said: Said,
    *,
    until: float | None = None,
    run: str | None = None,
) -> Decision:
    rule = candidate.rule
    decided = said.held or said.checks[-1]
    return Decision(
        verdict=verdict,
        rule=rule.name,
        action=rule.action,
        target=rule.target,
        direction=action_spec(rule.action).direction_of(rule.options),
        reason=reason,
        guard=decided.guard,
        checks=said.checks,
        until=until,
        run=run,
    )
