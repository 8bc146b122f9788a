"""Which new incidents of a batch are told as one, because their sender makes too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from service.domain.alerts.episodes import Transition
from service.domain.alerts.floods import (
    FLOOD,
    FLOOD_SEVERITY,
    INCIDENTS_A_MINUTE,
    MINUTE_S,
    Rate,
    beyond,
    flood_key,
    is_flood_key,
)
from service.domain.decisions.claims import telling_claim
from service.domain.decisions.decision import Check
from service.ports.admission import Changes, Delivery, IncidentRecord, Transaction
from service.triggers.alerts.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Flooded:
    """The flood that tells of a candidate's alert: the candidate as the flood pages it."""

    candidate: Candidate
    sender: str
    check: Check


class Floods:
    """The floods of one batch: `begin`, `ask` for each incident, `divert` once, `instead_of` each.

    A counter for each sender and minute decides, in the transaction of the batch: among any number
    of web processes, and after a crash, no incident is counted twice or left out.
    """

    def __init__(self, transaction: Transaction, changes: Changes, now: float) -> None:
        self._transaction = transaction
        self._changes = changes
        self._minute = int(now // MINUTE_S)
        self._told_by: dict[int, IncidentRecord] = {}
        self._asked: dict[str, tuple[Candidate, Delivery]] = {}
        self._diverted: dict[str, Flooded] = {}

    def begin(self) -> None:
        """After the incidents were read: the floods among them. Of several that an alert has been
        part of, the newest counts."""
        for key, incident in sorted(self._changes.incidents.items()):
            if is_flood_key(key):
                self._told_by.update(dict.fromkeys(incident.members, incident))

    def telling(self, identity: int, what: Transition) -> IncidentRecord | None:
        """The flood that tells of an alert; None where there is none, or it fires anew."""
        return None if what is Transition.OPENED else self._told_by.get(identity)

    def ask(
        self, incident: IncidentRecord, identity: int, candidate: Candidate, delivery: Delivery
    ) -> None:
        """An alert is to be paged as part of its own incident, and by no flood of before."""
        former = self._told_by.pop(identity, None)
        if former is not None:
            former.members.discard(identity)
            former.removed.add(identity)
        if not incident.paged:
            self._asked.setdefault(incident.dedup_key, (candidate, delivery))

    def divert(self) -> Iterator[tuple[str, str]]:
        """Count the new incidents; of those that go into a flood, the claim that they wanted and
        the one that the flood wants."""
        fresh = self._fresh()
        if not fresh:
            return
        counted = {sender: len(keys) for sender, keys in fresh.items()}
        rates = self._transaction.count_incidents(counted, self._minute)
        over = {
            sender: keys[len(keys) - count :]
            for sender, keys in fresh.items()
            if (count := beyond(rates[sender], len(keys)))
        }
        if not over:
            return
        known = self._transaction.incidents(
            [flood_key(sender, rates[sender].since) for sender in over], ()
        )
        for sender, keys in over.items():
            for key in keys:
                yield self._divert_one(key, sender, rates[sender], known)

    def instead_of(self, candidate: Candidate) -> Flooded | None:
        """The flood into which a candidate's incident went in this batch."""
        return self._diverted.get(candidate.incident or "")

    def as_part_of(self, flood: IncidentRecord, candidate: Candidate) -> Flooded:
        """A candidate whose alert a flood tells of already."""
        sender = flood.group_labels.get("sender", flood.source)
        saw = f"incident {flood.dedup_key}, a flood of {sender}, tells of it"
        return Flooded(_paging_for(flood, candidate), sender, Check("flood", True, saw))

    def _fresh(self) -> dict[str, list[str]]:
        """The new incidents by their sender, in the order in which they came."""
        doubtful = [key for key in self._asked if self._changes.incidents[key].exists]
        # An incident on record that the pager does not know is new, unless an alert of it fires:
        # then its page waits, and has been counted.
        firing = self._transaction.open_members(doubtful) if doubtful else {}
        fresh: dict[str, list[str]] = {}
        for key, (_, delivery) in self._asked.items():
            if not firing.get(key):
                sender = delivery.credential or delivery.notification.source
                fresh.setdefault(sender, []).append(key)
        return fresh

    def _divert_one(
        self, key: str, sender: str, rate: Rate, known: Mapping[str, IncidentRecord]
    ) -> tuple[str, str]:
        candidate, delivery = self._asked[key]
        own = self._changes.incidents[key]
        flood = self._flood(sender, rate, delivery, known)
        flood.members |= own.added
        flood.added |= own.added
        if own.exists:
            # Left as a member, it would look as if its own page waited.
            own.removed |= own.added
            own.added.clear()
        else:
            del self._changes.incidents[key]
        saw = (
            f"more than {INCIDENTS_A_MINUTE} new incidents came from {sender} within a minute: it "
            f"is told as part of incident {flood.dedup_key}"
        )
        paging = _paging_for(flood, candidate)
        self._diverted[key] = Flooded(paging, sender, Check("flood", passed=True, saw=saw))
        return candidate.claim, paging.claim

    def _flood(
        self, sender: str, rate: Rate, delivery: Delivery, known: Mapping[str, IncidentRecord]
    ) -> IncidentRecord:
        key = flood_key(sender, rate.since)
        here = self._changes.incidents.get(key) or known.get(key)
        flood = here or IncidentRecord(
            dedup_key=key,
            rule=FLOOD,
            severity=FLOOD_SEVERITY,
            source=delivery.notification.source,
            receiver="",
            group_labels={"sender": sender},
        )
        self._changes.incidents[key] = flood
        return flood


def _paging_for(flood: IncidentRecord, candidate: Candidate) -> Candidate:
    """The candidate, to be paged by the flood."""
    rule = replace(candidate.rule, name=FLOOD, severity=FLOOD_SEVERITY)
    claim = telling_claim(FLOOD, flood.dedup_key, candidate.claim.rpartition(".")[2])
    return replace(candidate, rule=rule, claim=claim, incident=flood.dedup_key)
