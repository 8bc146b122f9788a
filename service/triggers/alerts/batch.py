"""The working-through of one batch inside its transaction.

What the batch reads is read at the beginning, in as few statements as there are tables; what it
changes is collected and written at the end. Alerts that occur more than once in a batch see each
other through the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from service.domain.alerts.episodes import TURNS, Transition
from service.domain.alerts.flapping import turned
from service.domain.decisions.claims import Cooldown, shadow_claim, telling_claim
from service.domain.decisions.controls import Control
from service.domain.decisions.decision import Decision
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.guards import ASKED_AGAIN
from service.domain.decisions.policy import SHADOW
from service.domain.rules.rules import RuleBook
from service.ports.admission import (
    NOTHING_MORE,
    Changes,
    Delivery,
    EpisodeRecord,
    GateReply,
    NewDecision,
    Receipt,
    Sought,
    Transaction,
    Verdicted,
)
from service.triggers.alerts.candidates import (
    Candidate,
    Matched,
    asking,
    changes,
    claims_at_gate,
    demotable,
    gives_up,
    in_force,
)
from service.triggers.alerts.episodes import Episodes, identities_of
from service.triggers.alerts.notices import hold_claim, quarantine_notices, refusal_claims
from service.triggers.alerts.runs import RunMaker
from service.triggers.alerts.verdicts import Judged, Verdicts


@dataclass(frozen=True, slots=True)
class _JudgedAlert:
    """One alert of a delivery: its episode, and what the guards said of each candidate."""

    record: EpisodeRecord
    candidates: list[Judged]


@dataclass(frozen=True, slots=True)
class _JudgedDelivery:
    """One delivery under its id, judged."""

    id: str
    delivery: Delivery
    alerts: list[_JudgedAlert]


class Batch:
    """One batch, from its candidates to receipts; used once, within one transaction."""

    def __init__(
        self,
        *,
        transaction: Transaction,
        book: RuleBook,
        gate: GateReply,
        now: float,
        refire_grace_s: float,
        new_id: Callable[[str], str],
    ) -> None:
        self._transaction = transaction
        self._book = book
        self._now = now
        self._new_id = new_id
        self._changes = Changes(rules_hash=book.hash)
        self._episodes = Episodes(
            changes=self._changes,
            scopes=book.scopes,
            now=now,
            refire_grace_s=refire_grace_s,
            new_id=new_id,
        )
        self._runs = RunMaker(book, self._changes, now, refire_grace_s)
        self._verdicts = Verdicts(transaction, self._runs, gate, now)
        self._memberships: dict[int, list[str]] = {}
        self._turns: dict[int, tuple[float, ...]] = {}
        self._turning: dict[int, int] = {}

    def decide(
        self, batch: Sequence[Delivery], wanted: Sequence[tuple[Matched, ...]]
    ) -> list[Receipt]:
        """Judge all of it, take the claims, write what was decided, and enqueue the runs."""
        demotions = self._read(batch, wanted)
        if demotions:
            wanted = in_force(wanted, demotions)
        judged = [
            self._judged(delivery, group) for delivery, group in zip(batch, wanted, strict=True)
        ]
        self._verdicts.take_claims()
        receipts = [self._receipt(each) for each in judged]
        nothing_follows = not self._episodes.resolved and not self._changes.runs
        self._transaction.write(self._changes, last=nothing_follows)
        self._close_incidents()
        self._transaction.enqueue(self._runs.finished())
        return receipts

    def settled_cooldowns(self) -> list[Cooldown]:
        """The cooldowns in force after the batch, for the gate."""
        return list(self._verdicts.cooldowns.values())

    def _read(
        self, batch: Sequence[Delivery], wanted: Sequence[tuple[Matched, ...]]
    ) -> Mapping[str, Demotion]:
        """Read, and lock what two batches might change at once, always in the same order:
        alerts, incidents, claims. Returns the rules that have demoted themselves."""
        everything = [matched for group in wanted for matched in group]
        identities = identities_of(everything)
        candidates = asking(everything)
        more = _with_more(everything)
        shadows = _shadows(more)
        unread = [
            notice
            for each in batch
            if each.notification.quarantined
            for notice in quarantine_notices(each)
        ]
        notices = {
            *(hold_claim(each.claim) for each in candidates if changes(each.rule)),
            *map(hold_claim, shadows),
            *(notice.claim for notice in unread),
        }
        if self._book.scopes.stated:
            notices.update(refusal_claims(everything))
        cooldowns: Mapping[str, Cooldown] = {}
        controls: tuple[Control, ...] = ()
        demotions: Mapping[str, Demotion] = {}
        if identities:
            claims = claims_at_gate(candidates) | notices | shadows
            on_record = self._transaction.read(identities, claims, self._sought(more))
            self._turns = on_record.turns
            demotions = on_record.demotions
            self._verdicts.in_vain, self._verdicts.demotions = on_record.in_vain, demotions
            self._episodes.begin(on_record.episodes)
            cooldowns, controls = on_record.cooldowns, on_record.controls
        elif notices:
            cooldowns = self._transaction.cooldowns(notices)
        over = {matched.identity for matched in everything if not matched.alert.firing}
        if over:
            self._memberships = self._transaction.incidents_of(over)
        keys = {
            each.incident for each in candidates if each.incident is not None and not each.refused
        }
        keys.update(key for keys_ in self._memberships.values() for key in keys_)
        if keys:
            self._changes.incidents = self._transaction.incidents(keys, identities)
        told = {claim: cooldowns[claim] for claim in notices if claim in cooldowns}
        asked = {claim: each for claim, each in cooldowns.items() if claim not in notices}
        self._verdicts.begin(asked, told, controls)
        for notice in unread:
            self._verdicts.notice(notice)
        return demotions

    def _sought(self, more: Sequence[tuple[Matched, Candidate]]) -> Sought:
        """What else is asked of the record, by keys that few rules have."""
        if not more:
            return NOTHING_MORE
        self._turning = _turning(more)
        return Sought(
            turning=self._turning.keys(),
            giving_up={
                candidate.rule.name
                for matched, candidate in more
                if matched.alert.firing and gives_up(candidate.rule)
            },
            demotions=any(demotable(candidate) for _, candidate in more),
        )

    def _judged(self, delivery: Delivery, wanted: tuple[Matched, ...]) -> _JudgedDelivery:
        """The episodes of a delivery's alerts, and what the guards say of each candidate."""
        delivery_id = delivery.kept_as or self._new_id("n")
        if not delivery.kept_as:
            self._changes.deliveries.append((delivery_id, delivery))
        delivery = replace(delivery, id=delivery_id)
        alerts = [
            self._alert(delivery_id, delivery, matched)
            for matched in wanted
            if not delivery.kept_as or self._still_fires(matched)
        ]
        return _JudgedDelivery(delivery_id, delivery, alerts)

    def _still_fires(self, matched: Matched) -> bool:
        return self._episodes.is_open(matched.identity)

    def _alert(self, delivery_id: str, delivery: Delivery, matched: Matched) -> _JudgedAlert:
        refused = self._episodes.refused_resolve(delivery, matched)
        if refused is not None:
            record = self._episodes.keep_beside(delivery_id, delivery, matched)
            candidates = self._verdicts.refuse_resolve(refused, matched, record, delivery)
            return _JudgedAlert(record, candidates)
        record, what = self._episodes.take(delivery_id, delivery, matched)
        turns = self._turns_after(delivery, matched, what) if self._turning else ()
        return _JudgedAlert(
            record,
            [
                self._verdicts.judge(candidate, matched, record, delivery, what, turns)
                for candidate in matched.candidates
            ],
        )

    def _turns_after(
        self, delivery: Delivery, matched: Matched, what: Transition
    ) -> tuple[float, ...]:
        """When the alert began to fire and resolved, this notification among it. A replay tells
        nothing of that."""
        turns = self._turns.get(matched.identity, ())
        most = self._turning.get(matched.identity, 0) if matched.apart is None else 0
        if most and what in TURNS and not delivery.replay:
            turns = turned(turns, self._now, most)
            self._turns[matched.identity] = self._changes.turns[matched.identity] = turns
        return turns

    def _receipt(self, judged: _JudgedDelivery) -> Receipt:
        verdicts = tuple(
            self._keep(each.record, judged.id, decision)
            for each in judged.alerts
            for decision in map(self._verdicts.conclude, each.candidates)
        )
        return Receipt(judged.id, verdicts, judged.delivery.notification.quarantined)

    def _keep(self, record: EpisodeRecord, delivery_id: str, decision: Decision) -> Verdicted:
        if decision.guard in ASKED_AGAIN and decision.until is not None and record.open:
            record.due_at = min(decision.until, record.due_at or decision.until)
        former = record.verdicts.get(decision.rule)
        story = f"{decision.key}|{decision.reason}"
        if former is not None and former[1] == story:
            self._repeat(former[0])
        else:
            new = NewDecision(
                self._new_id("d"), record.id, delivery_id, decision, self._now, self._now
            )
            self._changes.decisions[new.id] = new
            record.verdicts[decision.rule] = (new.id, story)
        return Verdicted(record.id, decision)

    def _repeat(self, decision_id: str) -> None:
        new = self._changes.decisions.get(decision_id)
        if new is not None:
            new.times += 1
            return
        times, _ = self._changes.repeats.get(decision_id, (0, 0.0))
        self._changes.repeats[decision_id] = (times + 1, self._now)

    def _close_incidents(self) -> None:
        if not self._episodes.resolved:
            return
        keys = self._incidents_of_resolved()
        open_members = self._transaction.open_members(keys) if keys else {}
        closing = {
            telling_claim(incident.rule, key, "resolve"): incident
            for key, incident in self._changes.incidents.items()
            if key in keys and not open_members.get(key)
        }
        claimed = self._transaction.claim(closing, self._now)
        for claim, incident in sorted(closing.items()):
            if claimed[claim].won:
                self._runs.resolve_page(incident, claimed[claim].cooldown)

    def _incidents_of_resolved(self) -> set[str]:
        keys = {
            key for alert in self._episodes.resolved for key in self._memberships.get(alert, ())
        }
        for key, incident in self._changes.incidents.items():
            if not self._episodes.resolved.isdisjoint(incident.members):
                keys.add(key)
        return keys


def _with_more(everything: Sequence[Matched]) -> list[tuple[Matched, Candidate]]:
    """The candidates whose rules have a key for which more is asked of the record. Most rules have
    none, and this is all that they cost a storm."""
    return [
        (matched, candidate)
        for matched in everything
        for candidate in matched.candidates
        if candidate.rule.flapping is not None or candidate.rule.policy.expected is not None
    ]


def _turning(more: Sequence[tuple[Matched, Candidate]]) -> dict[int, int]:
    """The alerts whose turns are kept, each with how many of them its rules want to know."""
    kept: dict[int, int] = {}
    for matched, candidate in more:
        if candidate.rule.flapping is not None and matched.apart is None:
            most = candidate.rule.flapping.transitions
            kept[matched.identity] = max(most, kept.get(matched.identity, 0))
    return kept


def _shadows(more: Sequence[tuple[Matched, Candidate]]) -> set[str]:
    """The claims that firing alerts would take by rules that may have demoted themselves to
    shadow."""
    return {
        shadow_claim(candidate.claim)
        for matched, candidate in more
        if matched.alert.firing and demotable(candidate) and candidate.rule.policy.mode != SHADOW
    }
