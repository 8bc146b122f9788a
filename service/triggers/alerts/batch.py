"""The working-through of one batch inside its transaction.

What the batch reads is read at the beginning, in as few statements as there are tables; what it
changes is collected and written at the end. Alerts that occur more than once in a batch see each
other through the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.domain.decisions.claims import Cooldown, telling_claim
from service.domain.decisions.controls import Control
from service.domain.decisions.decision import Decision
from service.domain.decisions.guards import ASKED_AGAIN
from service.domain.rules.rules import RuleBook
from service.ports.admission import (
    Changes,
    Delivery,
    EpisodeRecord,
    GateReply,
    NewDecision,
    Receipt,
    Transaction,
    Verdicted,
)
from service.triggers.alerts.candidates import Matched, asking, claims_at_gate
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

    def decide(
        self, batch: Sequence[Delivery], wanted: Sequence[tuple[Matched, ...]]
    ) -> list[Receipt]:
        """Judge all of it, take the claims, write what was decided, and enqueue the runs."""
        self._read(batch, wanted)
        judged = [
            self._judged(delivery, group) for delivery, group in zip(batch, wanted, strict=True)
        ]
        self._verdicts.take_claims()
        receipts = [self._receipt(each) for each in judged]
        self._transaction.write(self._changes)
        self._close_incidents()
        self._transaction.enqueue(self._runs.finished())
        return receipts

    def settled_cooldowns(self) -> list[Cooldown]:
        """The cooldowns in force after the batch, for the gate."""
        return list(self._verdicts.cooldowns.values())

    def _read(self, batch: Sequence[Delivery], wanted: Sequence[tuple[Matched, ...]]) -> None:
        """Read, and lock what two batches might change at once, always in the same order:
        alerts, incidents, claims."""
        everything = [matched for group in wanted for matched in group]
        identities = identities_of(everything)
        candidates = asking(everything)
        unread = [
            notice
            for each in batch
            if each.notification.quarantined
            for notice in quarantine_notices(each)
        ]
        notices = {
            *(hold_claim(each.claim) for each in candidates if each.rule.target is not None),
            *(notice.claim for notice in unread),
        }
        if self._book.scopes.stated:
            notices.update(refusal_claims(everything))
        cooldowns: Mapping[str, Cooldown] = {}
        controls: tuple[Control, ...] = ()
        if identities:
            on_record = self._transaction.read(identities, claims_at_gate(candidates) | notices)
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

    def _judged(self, delivery: Delivery, wanted: tuple[Matched, ...]) -> _JudgedDelivery:
        """The episodes of a delivery's alerts, and what the guards say of each candidate."""
        delivery_id = delivery.kept_as or self._new_id("n")
        if not delivery.kept_as:
            self._changes.deliveries.append((delivery_id, delivery))
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
        return _JudgedAlert(
            record,
            [
                self._verdicts.judge(candidate, matched, record, delivery, what)
                for candidate in matched.candidates
            ],
        )

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
