"""Admission's journal and gate in memory: what they hold is what a test looks at."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.domain.alerts.floods import Rate, is_flood_key, rate_after
from service.domain.decisions.claims import BUSY_UNTIL, Cooldown, run_id
from service.domain.decisions.controls import Control
from service.domain.decisions.decision import Decision
from service.domain.decisions.demoted import Demotion
from service.domain.errors import StoreConflict
from service.domain.rules.scopes import UNSTATED, Scopes
from service.ports.admission import (
    NOTHING_MORE,
    Changes,
    Claimed,
    Delivery,
    EpisodeRecord,
    GateReply,
    IncidentRecord,
    NewDecision,
    NewRun,
    OnRecord,
    Receipt,
    Sought,
)
from service.triggers.alerts.admit import Admitter
from service.triggers.alerts.candidates import RulesInForce
from tests.fakes.alerts import GRACE_S, rules_in_force


@dataclass(slots=True)
class MemoryStore:
    """What is committed."""

    episodes: dict[int, EpisodeRecord] = field(default_factory=dict)
    """The newest of each alert."""
    superseded: dict[str, EpisodeRecord] = field(default_factory=dict)
    times_seen: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, NewDecision] = field(default_factory=dict)
    cooldowns: dict[str, Cooldown] = field(default_factory=dict)
    incidents: dict[str, IncidentRecord] = field(default_factory=dict)
    runs: dict[str, NewRun] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    deliveries: list[str] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    turns: dict[int, tuple[float, ...]] = field(default_factory=dict)
    in_vain: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    demotions: dict[str, Demotion] = field(default_factory=dict)

    def rest(self, claim: str, until: float, reason: str = "") -> None:
        """What a worker leaves at the end of a run."""
        held = self.cooldowns[claim]
        self.cooldowns[claim] = Cooldown(claim, held.generation, until, held.run, reason)

    def decided(self) -> list[Decision]:
        """Every decision on record, oldest first."""
        return [new.decision for new in self.decisions.values()]


class MemoryTransaction:
    """A transaction on a copy, which the commit puts in place."""

    def __init__(self, store: MemoryStore, refuse_runs: bool) -> None:
        self._store = store
        self._refuse_runs = refuse_runs

    def read(
        self, identities: Collection[int], claims: Collection[str], more: Sought = NOTHING_MORE
    ) -> OnRecord:
        known = self._store.episodes
        found = {each: copy.deepcopy(known[each]) for each in identities if each in known}
        for record in found.values():
            record.seen, record.inserted = 0, False
        turns = self._store.turns
        return OnRecord(
            found,
            self.cooldowns(claims),
            tuple(self._store.controls),
            {each: turns[each] for each in more.turning if each in turns},
            {of: runs for of, runs in self._store.in_vain.items() if of[0] in more.giving_up},
            dict(self._store.demotions) if more.demotions else {},
        )

    def cooldowns(self, claims: Collection[str]) -> dict[str, Cooldown]:
        return {each: self._store.cooldowns[each] for each in claims if each in self._known_claims}

    def claim(self, keys: Collection[str], now: float) -> dict[str, Claimed]:
        return {key: self._claim(key, now) for key in sorted(keys)}

    def _claim(self, key: str, now: float) -> Claimed:
        held = self._store.cooldowns.get(key)
        if held is not None and held.holds(now):
            return Claimed(won=False, cooldown=held)
        generation = held.generation + 1 if held else 1
        won = Cooldown(key, generation, BUSY_UNTIL, run_id(key, generation))
        self._store.cooldowns[key] = won
        return Claimed(won=True, cooldown=won)

    def incidents(
        self, dedup_keys: Collection[str], identities: Collection[int]
    ) -> dict[str, IncidentRecord]:
        known = self._store.incidents
        floods = {
            key
            for key, incident in known.items()
            if is_flood_key(key) and incident.members & set(identities)
        }
        asked = {*dedup_keys, *floods}
        found = {each: copy.deepcopy(known[each]) for each in asked if each in known}
        for incident in found.values():
            incident.added, incident.removed, incident.exists = set(), set(), True
            incident.members &= set(identities)
        return found

    def incidents_of(self, identities: Collection[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for key, incident in self._store.incidents.items():
            for identity in incident.members & set(identities):
                found.setdefault(identity, []).append(key)
        return found

    def count_incidents(self, fresh: Mapping[str, int], minute: int) -> dict[str, Rate]:
        rates = self._store.rates
        for sender, more in fresh.items():
            rates[sender] = rate_after(rates.get(sender), minute, more)
        return {sender: rates[sender] for sender in fresh}

    def open_members(self, dedup_keys: Collection[str]) -> dict[str, int]:
        episodes, incidents = self._store.episodes, self._store.incidents
        return {
            key: firing
            for key in dedup_keys
            if key in incidents
            and (firing := sum(episodes[each].open for each in incidents[key].members))
        }

    def write(self, changes: Changes, *, last: bool = False) -> None:
        store = self._store
        store.deliveries.extend(delivery_id for delivery_id, _ in changes.deliveries)
        for record in changes.touched.values():
            identity = next(each for each, old in store.episodes.items() if old.id == record.id)
            store.episodes[identity] = record
            store.times_seen[record.id] += record.seen
        for new in changes.episodes:
            if not new.record.newest and store.episodes.get(new.identity) is not new.record:
                store.superseded[new.record.id] = new.record
                continue
            if new.identity in store.episodes:
                former = store.episodes[new.identity]
                store.superseded[former.id] = former
            store.episodes[new.identity] = new.record
            store.times_seen[new.record.id] = new.record.seen
        store.decisions |= changes.decisions
        store.turns |= changes.turns
        for decision_id, (times, at) in changes.repeats.items():
            store.decisions[decision_id].times += times
            store.decisions[decision_id].last_at = at
        for key, incident in changes.incidents.items():
            if incident.removed:
                store.incidents[key].members -= incident.removed
            if incident.added:
                before = store.incidents.get(key)
                incident.members |= before.members if before else set()
                store.incidents[key] = incident

    def enqueue(self, runs: Collection[NewRun]) -> None:
        if runs and self._refuse_runs:
            raise RuntimeError("the queue refuses")
        for run in runs:
            assert run.request.id not in self._store.runs, "a run id was used twice"
            self._store.runs[run.request.id] = run

    @property
    def _known_claims(self) -> Collection[str]:
        return self._store.cooldowns.keys()


class MemoryJournal:
    """The journal; `conflicts` transactions fail at their commit before one succeeds."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.conflicts = 0
        self.refuse_runs = False

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        work = copy.deepcopy(self.store)
        yield MemoryTransaction(work, self.refuse_runs)
        if self.conflicts:
            self.conflicts -= 1
            raise StoreConflict("another process was first")
        self.store = work


@dataclass(slots=True)
class MemoryGate:
    """A gate; `values` are run ids or holds, as in Redis; `told` counts what it was told."""

    values: dict[str, str] = field(default_factory=dict)
    available: bool = True
    told: int = 0

    def ask(self, claims: Collection[str], token: str) -> GateReply:
        if not self.available:
            return GateReply({}, available=False)
        cooling = {}
        for claim in claims:
            value = self.values.setdefault(claim, f"hold:{token}")
            if not value.startswith("hold:"):
                cooling[claim] = value
        return GateReply(cooling, available=True)

    def settle(self, cooldowns: Collection[Cooldown], token: str, now: float) -> None:
        self.told += len(cooldowns)
        for cooldown in cooldowns:
            if cooldown.holds(now):
                self.values[cooldown.key] = cooldown.run
            else:
                self.give_back([cooldown.key], token)

    def give_back(self, claims: Collection[str], token: str) -> None:
        for claim in claims:
            if self.values.get(claim) == f"hold:{token}":
                del self.values[claim]


def saw(decision: Decision, guard: str) -> str:
    """What one guard saw."""
    return next(check.saw for check in decision.checks if check.guard == guard)


class Desk:
    """Admission on a journal and a gate in memory, with the rules of `tests.fakes.alerts`, unless
    others are given."""

    def __init__(self, scopes: Scopes = UNSTATED, rules: RulesInForce | None = None) -> None:
        self.journal = MemoryJournal()
        self.gate = MemoryGate()
        numbers = itertools.count(1)
        in_force = rules or rules_in_force(scopes)
        self._admitter = Admitter(
            journal=self.journal,
            gate=self.gate,
            rules=lambda: in_force,
            new_id=lambda prefix: f"{prefix}-{next(numbers):06}",
            refire_grace_s=GRACE_S,
        )

    @property
    def store(self) -> MemoryStore:
        """What is committed."""
        return self.journal.store

    def admit(self, *deliveries: Delivery, now: float | None = None) -> list[Receipt]:
        """One batch, decided on at `now` or when its last delivery came."""
        return self._admitter.admit(deliveries, deliveries[-1].received_at if now is None else now)

    def verdicts(self, *deliveries: Delivery, now: float | None = None) -> list[Decision]:
        """The decisions of one batch, in order."""
        receipts = self.admit(*deliveries, now=now)
        return [each.decision for receipt in receipts for each in receipt.verdicts]
