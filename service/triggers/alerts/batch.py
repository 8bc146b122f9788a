"""The working-through of one batch inside its transaction.

What the batch reads is read at the beginning, in as few statements as there are tables; what it
changes is collected and written at the end. Alerts that occur more than once in a batch see each
other through the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from service.domain.alerts.alert import AlertKind
from service.domain.alerts.episodes import Transition, transition
from service.domain.decisions.claims import Cooldown, telling_claim
from service.domain.decisions.decision import Decision
from service.domain.rules.rules import RuleBook
from service.ports.admission import (
    Changes,
    Delivery,
    EpisodeRecord,
    GateReply,
    NewDecision,
    NewEpisode,
    Receipt,
    Transaction,
    Verdicted,
)
from service.triggers.alerts.asks import Candidate, claims_of
from service.triggers.alerts.runs import RunMaker
from service.triggers.alerts.verdicts import Verdicts

_OPENING = (Transition.OPENED, Transition.RESOLVED_UNSEEN)


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
        self._now = now
        self._grace_s = refire_grace_s
        self._new_id = new_id
        self._changes = Changes(rules_hash=book.hash)
        self._episodes: dict[int, EpisodeRecord] = {}
        self._runs = RunMaker(book, self._changes, now, refire_grace_s)
        self._verdicts = Verdicts(transaction, self._runs, gate, now)
        self._memberships: dict[int, list[str]] = {}
        self._resolved: set[int] = set()

    def decide(
        self, batch: Sequence[Delivery], wanted: Sequence[tuple[Candidate, ...]]
    ) -> list[Receipt]:
        """Decide on all of it, write it, and enqueue the runs that were earned."""
        self._read(wanted)
        receipts = [
            self._delivery(delivery, wishes) for delivery, wishes in zip(batch, wanted, strict=True)
        ]
        self._transaction.write(self._changes)
        self._close_incidents()
        self._transaction.enqueue(self._runs.finished())
        return receipts

    def settled_cooldowns(self) -> list[Cooldown]:
        """The cooldowns in force after the batch, for the gate."""
        return list(self._verdicts.cooldowns.values())

    def _read(self, wanted: Sequence[tuple[Candidate, ...]]) -> None:
        """Read, and lock what two batches might change at once, always in the same order:
        alerts, incidents, claims."""
        everything = [candidate for group in wanted for candidate in group]
        identities = {candidate.identity for candidate in everything}
        claims = set(claims_of(wanted))
        cooldowns: dict[str, Cooldown] = {}
        if identities:
            self._episodes, cooldowns = self._transaction.read(identities, claims)
        over = {candidate.identity for candidate in everything if not candidate.alert.firing}
        if over:
            self._memberships = self._transaction.incidents_of(over)
        paging = {
            wish.incident: wish.claim
            for candidate in everything
            if candidate.alert.firing
            for wish in candidate.wishes
            if wish.incident is not None
        }
        keys = paging.keys() | {key for keys in self._memberships.values() for key in keys}
        if keys:
            self._changes.incidents = self._transaction.incidents(keys, identities)
        new_groups = {paging[key] for key in paging.keys() - self._changes.incidents.keys()}
        if claims or new_groups:
            self._verdicts.take_claims(claims, new_groups, cooldowns)

    def _delivery(self, delivery: Delivery, wanted: tuple[Candidate, ...]) -> Receipt:
        delivery_id = self._new_id("n")
        self._changes.deliveries.append((delivery_id, delivery))
        verdicts: list[Verdicted] = []
        for candidate in wanted:
            verdicts.extend(self._alert(delivery_id, delivery, candidate))
        return Receipt(delivery_id, tuple(verdicts), delivery.notification.quarantined)

    def _alert(self, delivery_id: str, delivery: Delivery, candidate: Candidate) -> list[Verdicted]:
        alert = candidate.alert
        record, what = self._episode(delivery_id, delivery, candidate)
        if alert.kind is AlertKind.TEST and alert.firing:
            decisions = [
                self._verdicts.test(wish, candidate, record, delivery) for wish in candidate.wishes
            ]
        elif what is Transition.RESOLVED:
            self._resolved.add(candidate.identity)
            decisions = [self._verdicts.resolved(wish) for wish in candidate.wishes]
        elif not alert.firing:
            decisions = [self._verdicts.resolved(wish) for wish in candidate.wishes]
        else:
            decisions = [
                self._verdicts.firing(wish, candidate, record, delivery, what)
                for wish in candidate.wishes
            ]
        return [self._keep(record, delivery_id, decision) for decision in decisions]

    def _episode(
        self, delivery_id: str, delivery: Delivery, candidate: Candidate
    ) -> tuple[EpisodeRecord, Transition]:
        known = self._episodes.get(candidate.identity)
        newest = known.episode() if known else None
        what = transition(newest, candidate.alert, self._now, self._grace_s)
        if delivery.replay and what is Transition.REOPENED:
            what = Transition.OPENED
        if known is None or what in _OPENING:
            return self._open(delivery_id, delivery, candidate, known), what
        if delivery.replay and what is Transition.REPEATED:
            # Only a sender's own word is a sign that the alert still fires.
            return known, what
        known.last_seen = max(known.last_seen, delivery.received_at)
        known.seen += 1
        if what is Transition.REOPENED:
            known.open, known.resolved_at = True, None
        elif what is Transition.RESOLVED:
            known.open, known.resolved_at = False, self._now
        if not known.inserted:
            self._changes.touched[known.id] = known
        return known, what

    def _open(
        self,
        delivery_id: str,
        delivery: Delivery,
        candidate: Candidate,
        former: EpisodeRecord | None,
    ) -> EpisodeRecord:
        """A new episode. One that a replay begins is over at once: no sender knows of it, so
        none would ever resolve it, and its incident would hold back the next real page."""
        alert = candidate.alert
        fires = alert.firing and alert.kind is not AlertKind.TEST and not delivery.replay
        if former is not None:
            former.newest = False
            if not former.inserted:
                self._changes.superseded.append(former.id)
        record = EpisodeRecord(
            id=self._new_id("a"),
            open=fires,
            last_seen=self._now,
            resolved_at=None if alert.firing and not delivery.replay else self._now,
            verdicts={},
            seen=1,
            inserted=True,
        )
        self._episodes[candidate.identity] = record
        self._changes.episodes.append(
            NewEpisode(candidate.identity, alert, delivery_id, self._now, record)
        )
        return record

    def _keep(self, record: EpisodeRecord, delivery_id: str, decision: Decision) -> Verdicted:
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
        if not self._resolved:
            return
        keys = self._incidents_of_resolved()
        open_members = self._transaction.open_members(keys) if keys else {}
        for key, incident in sorted(self._changes.incidents.items()):
            if key not in keys or open_members.get(key):
                continue
            claimed = self._transaction.claim(
                telling_claim(incident.rule, key, "resolve"), self._now
            )
            if claimed.won:
                self._runs.resolve_page(incident, claimed.cooldown)

    def _incidents_of_resolved(self) -> set[str]:
        keys = {key for alert in self._resolved for key in self._memberships.get(alert, ())}
        for key, incident in self._changes.incidents.items():
            if not self._resolved.isdisjoint(incident.members):
                keys.add(key)
        return keys
